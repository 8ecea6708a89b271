import { DEAD_LETTER_LIMITS, PULL_STAGE, rawPayloadOf, type DeadLetterDetail } from '#core/dead-letter.ts';
import { eventOfPayload } from '#core/event.ts';
import type { Attempt, DeadLetterDraft, PullFailure } from '#core/event-log.ts';
import type { StreamRef } from '#core/names.ts';

export interface StoredLetter extends DeadLetterDetail {
  readonly partition: number | undefined;
  readonly position: number;
}

type Incoming = Omit<
  StoredLetter,
  'id' | 'firstAtMs' | 'lastAtMs' | 'state' | 'edited' | 'editedPayload' | 'payloadBytes'
>;

/** The letters as a plain map: what `LogModel` keeps of failures and rejects. */
export class DeadLetterModel {
  readonly #rows = new Map<string, StoredLetter>();
  #newest = 0; // never derived from what is left: an id that was removed is not given again

  get all(): readonly StoredLetter[] {
    return [...this.#rows.values()];
  }

  putRaw({ tenant, connection, stream }: StreamRef, { key, code, message, payload }: PullFailure, nowMs: number): void {
    const { text, cut } = rawPayloadOf(payload);
    const raw = { stage: PULL_STAGE, eventId: undefined, version: undefined, partition: undefined, position: 0 };
    const content = { payload: text, payloadCut: cut, attempts: 1, history: [{ atMs: nowMs, code, message }] };
    this.#put({ tenant, connection, stream, key, code, message, ...raw, ...content }, nowMs);
  }

  /** `payload`: the entry's bytes in the log. */
  putRejected(stage: string, partition: number, draft: DeadLetterDraft, payload: string, nowMs: number): void {
    const { code, message, attempts, history = [] } = draft;
    const { tenant, connection, stream, key, id: eventId, version } = eventOfPayload(payload);
    const tries = history.length > 0 ? history : [{ atMs: nowMs, code, message }];
    const place = { stage, partition, position: draft.entry.position, eventId, version };
    const content = { payload, payloadCut: false, attempts, history: tries };
    this.#put({ tenant, connection, stream, key, code, message, ...place, ...content }, nowMs);
  }

  resolveRaw(of: StreamRef, key: string): void {
    this.remove((letter) => {
      const sameStream =
        letter.tenant === of.tenant && letter.connection === of.connection && letter.stream === of.stream;
      return letter.stage === PULL_STAGE && sameStream && letter.key === key;
    });
  }

  hasQueued(stage: string, partition: number): boolean {
    return this.all.some((row) => row.state === 'queued' && row.stage === stage && row.partition === partition);
  }

  change(
    which: (letter: StoredLetter) => boolean,
    to: (letter: StoredLetter) => Partial<StoredLetter>,
  ): StoredLetter[] {
    const changed: StoredLetter[] = [];
    for (const [name, letter] of this.#rows) {
      if (!which(letter)) continue;
      this.#rows.set(name, { ...letter, ...to(letter) });
      changed.push(letter);
    }
    return changed;
  }

  fail(which: (letter: StoredLetter) => boolean, attempt: Attempt): void {
    const { atMs: lastAtMs, code, message } = attempt;
    this.change(which, ({ attempts, history }) => {
      return { state: 'dead', code, message, attempts: attempts + 1, lastAtMs, history: newest([...history, attempt]) };
    });
  }

  remove(which: (letter: StoredLetter) => boolean): number {
    const sizeBefore = this.#rows.size;
    for (const [name, letter] of this.#rows) if (which(letter)) this.#rows.delete(name);
    return sizeBefore - this.#rows.size;
  }

  #put(letter: Incoming, nowMs: number): void {
    const { tenant, connection, stage, stream, key, eventId } = letter;
    const name = JSON.stringify([tenant, connection, stage, stream, key, eventId]);
    const known = this.#rows.get(name);
    if (known === undefined) this.#newest += 1;
    const blank = { edited: false, editedPayload: undefined, payloadBytes: bytesOf(letter.payload) };
    // What was known first stays: identity, first time, payload. Attempts add up.
    const first = known ?? { ...letter, ...blank, id: this.#newest, firstAtMs: nowMs, attempts: 0, history: [] };
    const { partition, position, code, message } = letter;
    const attempts = first.attempts + letter.attempts;
    const history = newest([...first.history, ...letter.history]);
    const now = { partition, position, code, message, attempts, history, lastAtMs: nowMs, state: 'dead' } as const;
    this.#rows.set(name, { ...first, ...now });
  }
}

function newest(history: readonly Attempt[]): readonly Attempt[] {
  return history.slice(-DEAD_LETTER_LIMITS.attemptsKeptMax);
}

function bytesOf(payload: string | undefined): number {
  return payload === undefined ? 0 : Buffer.byteLength(payload);
}

// P16: whatever programs of refusals, replays, edits and repeated failures do, the first payload stays byte for byte, tries only
// add up, and what happens at one sink changes nothing of another's letters.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { DeadLetterDetail } from '#core/dead-letter.ts';
import type { SealedEvent } from '#core/event.ts';
import type { JsonValue } from '#core/json.ts';
import type { WriteResult } from '#core/sink.ts';
import {
  failRaw,
  queuedOf,
  REFUSED,
  rejectWaiting,
  retitled,
  settleQueued,
  STALE,
  UNAVAILABLE,
  WRITTEN,
} from './dead-letter-samples.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, withStorage } from './engine-harness.ts';
import { append, sample } from './event-samples.ts';

type Stage = 'r' | 's' | 'pull';

interface Act {
  readonly act: 'put' | 'queue' | 'settle' | 'edit' | 'take_back';
  readonly stage: Stage;
  readonly attempts: number;
  readonly result: WriteResult;
}

const actArbitrary: fc.Arbitrary<Act> = fc.record({
  act: fc.constantFrom<Act['act'][]>('put', 'put', 'queue', 'queue', 'settle', 'settle', 'edit', 'take_back'),
  stage: fc.constantFrom<Stage[]>('r', 'r', 's', 'pull'),
  attempts: fc.integer({ min: 1, max: 5 }),
  result: fc.constantFrom(REFUSED, UNAVAILABLE, REFUSED, WRITTEN, STALE),
});

// fast-check's own name for the same values.
const jsonArbitrary = fc.jsonValue() as fc.Arbitrary<JsonValue>;

/** What must be true of one letter. */
type Expected = Pick<DeadLetterDetail, 'payload' | 'attempts' | 'firstAtMs' | 'state' | 'editedPayload'>;

export function deadLetterPropertySuite(openHarness: OpenHarness): void {
  it(
    'over refusals, replays and failures the payload stays, tries add up, and each sink has its own letters (P16)',
    { timeout: PROPERTY_TIMEOUT_MS },
    () =>
      withStorage(openHarness, async (session) => {
        for (const sink of ['r', 's']) await session.log.register(sink);
        let runs = 0;
        const program = fc.array(actArbitrary, { minLength: 2, maxLength: 10, size: 'max' });
        const property = fc.asyncProperty(program, jsonArbitrary, async (acts, data) => {
          runs += 1;
          const world = new OneKey(session, sample({ key: `key-${runs}`, data, text: `run ${runs}` }));
          await world.open();
          for (const act of acts) {
            await world.perform(act);
            await world.compare();
          }
        });
        await fc.assert(property, runsOf('light'));
      }),
  );
}

/** One event in the log and one raw record of the same key, with the letters they must have at each stage. */
class OneKey {
  readonly #session: StorageSession;
  readonly #sealed: SealedEvent;
  readonly #expected = new Map<Stage, Expected>();
  #sinceMs = 0;

  constructor(session: StorageSession, sealed: SealedEvent) {
    this.#session = session;
    this.#sealed = sealed;
  }

  async open(): Promise<void> {
    await this.#session.store.deadLetters.discard({ tenants: ['a'] }); // of the run before
    this.#sinceMs = this.#session.clock.now();
    await append(this.#session, this.#sealed);
    await this.#session.clock.advance(1_000);
  }

  async perform({ act, stage, attempts, result }: Act): Promise<void> {
    const { store } = this.#session;
    const letter = this.#expected.get(stage);
    switch (act) {
      case 'put':
        return this.#put(stage, attempts);
      case 'queue': {
        const queues = letter?.state === 'dead' && stage !== 'pull';
        const { key } = this.#sealed.event;
        expect(await store.deadLetters.queue({ tenants: ['a'], stage, key })).toBe(queues ? 1 : 0);
        if (letter !== undefined && queues) this.#expected.set(stage, { ...letter, state: 'queued' });
        return;
      }
      case 'settle':
        return this.#settle(stage, result);
      case 'edit':
      case 'take_back': {
        const edit = act === 'edit' ? retitled(this.#sealed, `try ${attempts}`) : undefined;
        const id = (await this.#letters()).find((one) => one.stage === stage)?.id ?? 0;
        const edits = letter?.state === 'dead';
        expect(await store.deadLetters.edit(['a'], id, edit)).toBe(edits);
        if (letter !== undefined && edits)
          this.#expected.set(stage, {
            ...letter,
            editedPayload: edit === undefined ? undefined : JSON.stringify(edit),
          });
        return;
      }
    }
  }

  async #put(stage: Stage, attempts: number): Promise<void> {
    const { clock, log } = this.#session;
    const nowMs = clock.now();
    const raw = { at: nowMs };
    if (stage === 'pull') await failRaw(this.#session, this.#sealed.event.key, { payload: raw });
    else {
      await log.rewind(stage, { sinceMs: this.#sinceMs });
      await rejectWaiting(this.#session, stage, [this.#sealed], { attempts });
      await clock.advance(1_000);
    }
    const payload = stage === 'pull' ? JSON.stringify(raw) : this.#sealed.payload;
    const first = this.#expected.get(stage) ?? { payload, attempts: 0, firstAtMs: nowMs, editedPayload: undefined };
    this.#expected.set(stage, {
      ...first,
      state: 'dead',
      attempts: first.attempts + (stage === 'pull' ? 1 : attempts),
    });
  }

  async #settle(stage: Stage, result: WriteResult): Promise<void> {
    if (stage === 'pull') return;
    const letter = this.#expected.get(stage);
    const queued = await queuedOf(this.#session, stage, [this.#sealed]);
    const sent = letter?.state === 'queued' ? [letter.editedPayload ?? letter.payload] : [];
    expect(queued.map(({ entry }) => JSON.stringify(entry.event))).toEqual(sent);
    await settleQueued(this.#session, stage, [this.#sealed], result);
    if (letter?.state !== 'queued') return;
    if (result === WRITTEN || result === STALE) this.#expected.delete(stage);
    else this.#expected.set(stage, { ...letter, state: 'dead', attempts: letter.attempts + 1 });
  }

  async compare(): Promise<void> {
    const letters = await this.#letters();
    expect(letters.map(({ stage }) => stage).toSorted()).toEqual([...this.#expected.keys()].toSorted());
    for (const letter of letters) expect(letter).toMatchObject(this.#expected.get(letter.stage as Stage) ?? {}); // checked above
  }

  async #letters(): Promise<DeadLetterDetail[]> {
    const { deadLetters } = this.#session.store;
    const details: DeadLetterDetail[] = [];
    for (const { id } of await deadLetters.list({ tenants: ['a'], key: this.#sealed.event.key }, 10)) {
      const detail = await deadLetters.get(['a'], id);
      if (detail !== undefined) details.push(detail);
    }
    return details;
  }
}

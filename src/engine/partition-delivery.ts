import type { DeadLetterDraft, Dispatch, LogEntry } from '#core/event-log.ts';
import { toFault, type Fault } from '#core/fault.ts';
import type { WriteResult } from '#core/sink.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import { endedOrAborted } from './bounded-call.ts';
import { DELIVERY_LIMITS, OUTAGE_BACKOFF } from './delivery-limits.ts';
import type { DeliveryLoop, Ownership } from './delivery-loop.ts';
import {
  attemptsOf,
  CALM,
  counted,
  halved,
  settledOf,
  suspicionFound,
  waitBefore,
  withHead,
  writeLimitMs,
  type Suspicion,
} from './delivery-suspect.ts';
import { cutAt, exhaustedOf, rejectionOf, settledThrough, verdictOf } from './delivery-verdict.ts';
import { LetterReplay, type Offered, type Step } from './replay-letters.ts';
import { SinkWriter } from './sink-writer.ts';

const ON: Step = { state: 'on' };
const FENCED: Step = { state: 'fenced' };

/** Delivers one partition to one sink for as long as it is owned: reads, offers, commits; waits in place, so that order holds (I5). */
export class PartitionDelivery {
  readonly #loop: DeliveryLoop;
  readonly #at: Ownership;
  readonly #writer: SinkWriter;
  #replay: LetterReplay | undefined;
  #suspicion: Suspicion = CALM;
  #begun = false;

  constructor(loop: DeliveryLoop, at: Ownership) {
    this.#loop = loop;
    this.#at = at;
    this.#writer = new SinkWriter(loop, at);
  }

  /** Until the partition is lost or Weir stops. Resolves with a write that has not come back even then. */
  async run(): Promise<{ readonly hanging: Promise<unknown> | undefined }> {
    const { env, health, onFault, target } = this.#loop;
    const { partition, signal } = this.#at;
    let failures = 0;
    // Unbounded on purpose: ends with the ownership; every pass waits for entries, for the sink, or for the store.
    while (!signal.aborted) {
      try {
        await this.#untilBack();
        const step = await this.#next();
        failures = 0;
        health.goesOn(partition);
        if (step === 'fenced') break;
      } catch (error) {
        // Of the store, which says nothing about sink or event: the same entries come again.
        const fault = toFault(error);
        const nextInMs = computeBackoffMs({ attempt: failures, policy: OUTAGE_BACKOFF, random: env.random });
        failures += 1;
        health.hold(partition, fault);
        onFault?.(target.name, fault, nextInMs);
        await env.clock.sleep(nextInMs, signal);
      }
    }
    health.goesOn(partition);
    health.suspect(partition, undefined, 0);
    // Stopping is no crash: what is not in the air any more must not be counted at the next start.
    await this.#writer.close().catch(() => undefined);
    return { hanging: this.#writer.hanging };
  }

  /** Never two writes of one partition at once, also when the store failed while one was hanging. */
  async #untilBack(): Promise<void> {
    const { hanging } = this.#writer;
    if (hanging !== undefined) await endedOrAborted(hanging, this.#at.signal);
  }

  async #next(): Promise<'on' | 'fenced'> {
    const { log, target, health, permits } = this.#loop;
    const { partition, signal } = this.#at;
    await this.#begin();
    await log.wait(target.name, partition, signal);
    await health.ready(signal);
    if (signal.aborted) return 'on';
    const step = await permits.run(() => this.#step());
    return step.state === 'failed' ? this.#judge(step) : step.state;
  }

  /** Once: what an earlier owner was writing when it ended. */
  async #begin(): Promise<void> {
    if (this.#begun) return;
    const { env, log, target, letters, attemptsMax } = this.#loop;
    const { partition, fence } = this.#at;
    const found = target.kind === 'external' ? await log.dispatched(target.name, partition) : undefined;
    this.#suspicion = suspicionFound(found, env.clock.now());
    if (letters !== undefined) {
      const offer = (entries: readonly LogEntry[]): Promise<Offered> => this.#writer.putBack(entries);
      this.#replay = new LetterReplay({ letters, sink: target.name, partition, fence, offer });
      if (found?.open === true) await this.#replay.unfinished(found);
    }
    this.#begun = true;
    if (found?.open === true && attemptsOf(this.#suspicion) < attemptsMax) await this.#patience();
  }

  async #step(): Promise<Step> {
    const { env, log, target, health, attemptsMax } = this.#loop;
    const { partition, signal } = this.#at;
    if (signal.aborted || health.closed) return ON;
    const { entries, offered } = takeFirst(
      await log.read(target.name, partition, DELIVERY_LIMITS.batchEventsMax),
      target.accepts,
      this.#suspicion.limit,
    );
    const first = offered[0];
    if (entries.length === 0 || first !== undefined) this.#suspicion = withHead(this.#suspicion, first?.position);
    // A suspect with counted tries goes first: the record of a replay would overwrite them.
    if (attemptsOf(this.#suspicion) === 0) {
      const replayed = await this.#replay?.next();
      if (replayed !== undefined && (replayed.state !== 'on' || entries.length === 0)) return replayed;
    }
    const last = entries.at(-1);
    if (last === undefined) {
      await env.clock.turn(); // woken for nothing: let others run
      return ON;
    }
    if (first === undefined) return this.#commit(last.position, []);
    if (attemptsOf(this.#suspicion) >= attemptsMax && !health.refusing) return this.#giveUp(first);
    return this.#deliver(entries, offered, first);
  }

  async #deliver(entries: readonly LogEntry[], offered: readonly LogEntry[], first: LogEntry): Promise<Step> {
    const attempts = attemptsOf(this.#suspicion);
    const answer = await this.#writer.write(offered, attempts, writeLimitMs(this.#suspicion, this.#loop.attemptsMax));
    if (answer.state === 'fenced') return FENCED;
    if (answer.state === 'committed') {
      this.#moved(offered.length);
      return ON;
    }
    if (answer.state === 'results') return this.#settle(entries, offered, answer.results, answer.tookMs);
    const { fault, hanging, tookMs } = answer;
    const suspected = (): Promise<'on' | 'fenced'> =>
      offered.length > 1 ? this.#halve(offered.length) : this.#count(first, fault, tookMs);
    return { state: 'failed', fault, hanging, suspected };
  }

  async #settle(
    entries: readonly LogEntry[],
    offered: readonly LogEntry[],
    results: readonly WriteResult[],
    tookMs: number,
  ): Promise<Step> {
    const { env, health } = this.#loop;
    const whole = verdictOf(results);
    const rejected = whole.rejected.flatMap((index) => offered[index] ?? []);
    if (whole.taken) health.taken();
    const allowed = whole.taken ? rejected.length : health.allow(rejected);
    const verdict = cutAt(whole, allowed);
    const letters = verdict.rejected.flatMap((index) => {
      const [entry, result] = [offered[index], results[index]];
      return entry === undefined || result?.outcome !== 'reject'
        ? []
        : [rejectionOf(entry, result.fault, this.#suspicion, env.clock.now())];
    });
    const through = settledThrough(entries, offered, verdict.settled);
    if (through !== undefined) {
      const step = await this.#commit(through, letters, whole.taken ? 0 : allowed);
      if (step.state === 'fenced') return step;
    }
    this.#moved(verdict.settled);
    const head = offered[verdict.settled];
    if (head === undefined) return ON;
    if ((await this.#writer.close()) === 'fenced') return FENCED;
    const { stuck } = verdict;
    if (stuck === undefined) return this.#refused(head);
    const left = offered.length - verdict.settled;
    const suspected = (): Promise<'on' | 'fenced'> => {
      if (offered.length === 1) return this.#count(head, stuck, tookMs);
      return verdict.singled ? this.#halve(1) : this.#halve(left);
    };
    return { state: 'failed', fault: stuck, suspected };
  }

  #moved(settled: number): void {
    if (settled === 0) return;
    this.#suspicion = settledOf(this.#suspicion, settled);
    this.#loop.health.suspect(this.#at.partition, undefined, 0);
  }

  /** Whose fault was it? Called without a permit: while a sink is out nobody holds one. */
  async #judge({ fault, hanging, suspected }: Extract<Step, { state: 'failed' }>): Promise<'on' | 'fenced'> {
    const { health } = this.#loop;
    const { partition, signal } = this.#at;
    if (hanging !== undefined) {
      // Never two writes of one partition at once: it stands still, and says so, until the first has come back.
      health.hold(partition, fault);
      await endedOrAborted(hanging, signal);
    }
    if (signal.aborted) return 'on';
    if ((await health.judge(fault)) === 'events') return signal.aborted ? 'on' : suspected();
    if (health.refusing) this.#suspicion = { ...this.#suspicion, limit: CALM.limit };
    return 'on';
  }

  #halve(size: number): Promise<'on'> {
    this.#suspicion = halved(this.#suspicion, size);
    return Promise.resolve('on');
  }

  /** The event failed alone, and its sink is well. */
  async #count(entry: LogEntry, fault: Fault, tookMs: number): Promise<'on' | 'fenced'> {
    const { env, health, target, attemptsMax } = this.#loop;
    const { partition } = this.#at;
    this.#suspicion = counted(this.#suspicion, { position: entry.position, fault, atMs: env.clock.now(), tookMs });
    const attempts = attemptsOf(this.#suspicion);
    health.suspect(partition, entry, attempts);
    const record: Dispatch = { position: entry.position, events: 1, attempts, open: false };
    if (target.kind === 'external' && (await this.#writer.record(record)) === 'fenced') return 'fenced';
    if (attempts < attemptsMax) await this.#patience(fault);
    return 'on';
  }

  async #patience(fault?: Fault): Promise<void> {
    const { env, target, attemptsMax, onFault } = this.#loop;
    const { waitMs, suspicion } = waitBefore(this.#suspicion, attemptsMax, env.random);
    this.#suspicion = suspicion;
    if (waitMs > 0 && fault !== undefined) onFault?.(target.name, fault, waitMs);
    await env.clock.sleep(waitMs, this.#at.signal);
  }

  /** Its attempts are used up: a dead letter, unless the sink has had too many in a row. Nothing is written. */
  async #giveUp(entry: LogEntry): Promise<Step> {
    if (this.#loop.health.allow([entry]) === 0) return this.#refused(entry);
    const step = await this.#commit(entry.position, [exhaustedOf(entry, this.#suspicion)], 1);
    if (step.state === 'on') this.#moved(1);
    return step;
  }

  #refused(head: LogEntry): Step {
    const { health } = this.#loop;
    health.refuse();
    health.suspect(this.#at.partition, head, attemptsOf(withHead(this.#suspicion, head.position)));
    // As one batch, so that any event the sink does take ends it.
    this.#suspicion = { ...this.#suspicion, limit: CALM.limit };
    return ON;
  }

  /** Position and dead letters in one transaction. `counted`: how many of the letters count as letters in a row. */
  async #commit(position: number, letters: readonly DeadLetterDraft[], countedLetters = 0): Promise<Step> {
    const { log, target, health, onDeadLetter } = this.#loop;
    const { partition, fence } = this.#at;
    let done: 'committed' | 'fenced' | undefined;
    try {
      done = await log.commit(target.name, partition, position, fence, letters);
    } finally {
      if (done !== 'committed') health.returned(countedLetters);
    }
    if (done === 'fenced') return FENCED;
    this.#writer.settledTo(position);
    for (const letter of letters) onDeadLetter?.(target.name, letter);
    return ON;
  }
}

/** The first `limit` events that the sink takes, and the entries they come with: up to the next one that it takes. */
function takeFirst(
  read: readonly LogEntry[],
  accepts: (event: LogEntry['event']) => boolean,
  limit: number,
): { readonly entries: readonly LogEntry[]; readonly offered: readonly LogEntry[] } {
  const accepted = read.filter(({ event }) => accepts(event));
  const next = accepted[limit];
  return { entries: next === undefined ? read : read.slice(0, read.indexOf(next)), offered: accepted.slice(0, limit) };
}

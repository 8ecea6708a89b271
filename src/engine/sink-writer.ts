import type { Dispatch, LogEntry } from '#core/event-log.ts';
import { Fault, toFault, type FaultCode } from '#core/fault.ts';
import type { BuiltInSink, Sink, WriteResult } from '#core/sink.ts';
import { callWithin } from './bounded-call.ts';
import { DELIVERY_LIMITS } from './delivery-limits.ts';
import type { DeliveryLoop, Ownership } from './delivery-loop.ts';
import type { Offered } from './replay-letters.ts';

type Answer = Exclude<Offered, { state: 'results' }> | { readonly state: 'committed' } | Results;
interface Results {
  readonly state: 'results';
  readonly results: readonly WriteResult[];
  readonly tookMs: number;
}

/** The calls to one sink for one partition, one at a time, with the record beside the position that a crash is found by. */
export class SinkWriter {
  readonly #loop: DeliveryLoop;
  readonly #at: Ownership;
  #recorded: Dispatch | undefined;
  #hanging: Promise<unknown> | undefined;

  constructor(loop: DeliveryLoop, at: Ownership) {
    this.#loop = loop;
    this.#at = at;
  }

  /** A write that has not come back although it was told to. */
  get hanging(): Promise<unknown> | undefined {
    return this.#hanging;
  }

  /** Throws only for the store. */
  write(entries: readonly LogEntry[], attempts: number, timeoutMs: number): Promise<Answer> {
    const { target } = this.#loop;
    return target.kind === 'external'
      ? this.#send(target.sink, entries, attempts, timeoutMs)
      : this.#apply(entries, (sink) => sink.apply(this.#at.partition, entries, this.#at.fence), target.sink);
  }

  /** The same for dead letters; their position is past, so nothing is committed. */
  async putBack(entries: readonly LogEntry[]): Promise<Offered> {
    const { target, health } = this.#loop;
    const answer =
      target.kind === 'external'
        ? await this.#send(target.sink, entries, 0, DELIVERY_LIMITS.writeMs)
        : await this.#apply(entries, (sink) => reapply(sink, entries), target.sink);
    if (answer.state === 'committed') return { state: 'results', results: entries.map(() => ({ outcome: 'written' })) };
    if (answer.state !== 'results') return answer;
    if (answer.results.some(({ outcome }) => outcome === 'written' || outcome === 'stale')) health.taken();
    return (await this.close()) === 'fenced' ? { state: 'fenced' } : answer;
  }

  async record(record: Dispatch): Promise<'recorded' | 'fenced'> {
    const { log, target } = this.#loop;
    const done = await log.dispatch(target.name, this.#at.partition, record, this.#at.fence);
    if (done === 'recorded') this.#recorded = record;
    return done;
  }

  /** The write has come back, however it ended. */
  async close(): Promise<'recorded' | 'fenced'> {
    return this.#recorded?.open === true ? this.record({ ...this.#recorded, open: false }) : 'recorded';
  }

  /** The commit of `position` has removed the record. */
  settledTo(position: number): void {
    if (this.#recorded !== undefined && this.#recorded.position <= position) this.#recorded = undefined;
  }

  async #send(sink: Sink, entries: readonly LogEntry[], attempts: number, timeoutMs: number): Promise<Answer> {
    const { clock } = this.#loop.env;
    const position = entries[0]?.position ?? 0;
    if ((await this.record({ position, events: entries.length, attempts, open: true })) === 'fenced')
      return { state: 'fenced' };
    const startMs = clock.monotonic();
    const ended = await callWithin(clock, {
      what: `a write of ${entries.length} events to sink ${sink.name}`,
      timeoutMs,
      graceMs: DELIVERY_LIMITS.graceMs,
      stop: this.#at.signal,
      call: (signal) => sink.write([...entries], signal), // a copy: what a sink does to its list must not change what is judged
    });
    const tookMs = clock.monotonic() - startMs;
    if (ended.state === 'value' && ended.value.length === entries.length) {
      const results = ended.value.map(ofSink);
      this.#report(results, tookMs);
      return { state: 'results', results, tookMs };
    }
    const hanging = ended.state === 'hanging' ? this.#hang(ended.back) : undefined;
    // An answer that leaves events out says nothing of any of them: nothing is settled.
    const fault =
      ended.state === 'value'
        ? new Fault(
            'sink_unavailable',
            `sink ${sink.name} gave ${ended.value.length} results for ${entries.length} events`,
          )
        : asSinkFault(ended.fault);
    this.#report(
      entries.map(() => ({ outcome: 'retry', fault })),
      tookMs,
    );
    if ((await this.close()) === 'fenced') return { state: 'fenced' };
    return { state: 'failed', fault, tookMs, hanging };
  }

  #hang(back: Promise<unknown>): Promise<unknown> {
    this.#hanging = back;
    void back.then(() => {
      if (this.#hanging === back) this.#hanging = undefined;
    });
    return back;
  }

  /** A store that is out throws, and waits; any other failure is the events' (ADR 0007). */
  async #apply(
    entries: readonly LogEntry[],
    apply: (sink: BuiltInSink) => Promise<'committed' | 'fenced'>,
    sink: BuiltInSink,
  ): Promise<Answer> {
    const { env, health } = this.#loop;
    const startMs = env.clock.monotonic();
    const took = (): number => env.clock.monotonic() - startMs;
    try {
      const done = await apply(sink);
      if (done === 'fenced') return { state: 'fenced' };
      health.taken();
      this.#report(
        entries.map(() => ({ outcome: 'written' })),
        took(),
      );
      return { state: 'committed' };
    } catch (error) {
      const fault = toFault(error);
      this.#report(
        entries.map(() => ({ outcome: 'retry', fault })),
        took(),
      );
      if (fault.code.startsWith('storage_')) throw fault;
      return { state: 'failed', fault, tookMs: took() };
    }
  }

  #report(results: readonly WriteResult[], durationMs: number): void {
    const { onBatch, target } = this.#loop;
    if (onBatch === undefined) return;
    const counts = { written: 0, stale: 0, retry: 0, reject: 0 };
    for (const { outcome } of results) counts[outcome] += 1;
    onBatch(target.name, counts, durationMs);
  }
}

const UPSTREAM_CODES: ReadonlySet<FaultCode> = new Set(['upstream_unavailable', 'upstream_timeout', 'bad_upstream']);

/** Here the other side is the sink: its letters must not send anybody to look at the source. */
function asSinkFault(fault: Fault): Fault {
  return UPSTREAM_CODES.has(fault.code) ? new Fault('sink_unavailable', fault.message, { cause: fault }) : fault;
}

/** Sinks may be written without types: a result that is none of the four says nothing, and must not count as settled (I3). */
function ofSink(result: WriteResult | undefined): WriteResult {
  switch (result?.outcome) {
    case 'written':
    case 'stale':
      return result;
    case 'retry':
    case 'reject':
      return { outcome: result.outcome, fault: asSinkFault(toFault(result.fault)) };
    case undefined:
    default:
      return { outcome: 'retry', fault: new Fault('sink_unavailable', 'the sink gave a result that is none') };
  }
}

async function reapply(sink: BuiltInSink, entries: readonly LogEntry[]): Promise<'committed'> {
  if (sink.reapply === undefined)
    throw new Fault('sink_rejected', `sink ${sink.name} takes no event a second time; let it read the log again`);
  await sink.reapply(entries);
  return 'committed';
}

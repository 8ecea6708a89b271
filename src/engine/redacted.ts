import type { CheckFinding } from '#core/connector.ts';
import type { EventLog, PullFailure } from '#core/event-log.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { Sink, WriteResult } from '#core/sink.ts';
import { REDACTED } from '#telemetry/redaction.ts';
import { isSensitiveName } from '#telemetry/sensitive-shapes.ts';

// I7: what plugins say in words passes here before it is kept or shown. A library that fails likes to quote the address or header it
// was given, credential included.

export type Redact = (text: string) => string;

const PAYLOAD_DEPTH_MAX = 64; // of a raw record; what lies deeper is left out and marked
const TOO_DEEP = '[too deep]';

/** Without its cause: that is the library's own error, with whatever hangs on it. */
export function redactedFault(fault: Fault, redact: Redact): Fault {
  const details = Object.entries(fault.details).map(([name, text]) => [name, redact(text)] as const);
  return new Fault(fault.code, redact(fault.message), {
    details: Object.fromEntries(details),
    problems: fault.problems.map((one) => ({ ...one, path: redact(one.path), problem: redact(one.problem) })),
    ...(fault.retryAtMs === undefined ? {} : { retryAtMs: fault.retryAtMs }),
  });
}

export function redactedFinding({ ok, message, fault }: CheckFinding, redact: Redact): CheckFinding {
  return { ok, message: redact(message), ...(fault === undefined ? {} : { fault: redactedFault(fault, redact) }) };
}

/** The log as a puller sees it: the failures of a page become dead letters without secrets. Events are the source's and stay as they are. */
export function redactedAppends(log: EventLog, redact: Redact): Pick<EventLog, 'append'> {
  return {
    append: ({ failures, ...batch }) =>
      log.append({ ...batch, ...(failures && { failures: failures.map((one) => redactedFailure(one, redact)) }) }),
  };
}

/** A sink whose faults carry no secret, however it fails: thrown or as a result. */
export function redactedSink(sink: Sink, redact: Redact): Sink {
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw redactedFault(toFault(error), redact);
    }
  };
  const ofResult = (result: WriteResult): WriteResult =>
    'fault' in result ? { ...result, fault: redactedFault(toFault(result.fault), redact) } : result;
  // Each within an async function: a plugin that throws before its first await is told of in the same way.
  return {
    name: sink.name,
    open: (signal) => told((async () => sink.open(signal))()),
    write: (entries, signal) => told((async () => (await sink.write(entries, signal)).map(ofResult))()),
    ping: (signal) => told((async () => sink.ping(signal))()),
    close: () => told((async () => sink.close())()),
  };
}

function redactedFailure({ key, code, message, payload }: PullFailure, redact: Redact): PullFailure {
  return {
    key: redact(key),
    code,
    message: redact(message),
    ...(payload === undefined ? {} : { payload: redactedJson(payload, redact, PAYLOAD_DEPTH_MAX) }),
  };
}

function redactedJson(value: JsonValue, redact: Redact, depthLeft: number): JsonValue {
  if (typeof value === 'string') return redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depthLeft === 0) return TOO_DEEP;
  if (Array.isArray(value)) return value.map((item: JsonValue) => redactedJson(item, redact, depthLeft - 1));
  const members = Object.entries(value).map(([name, member]) => {
    const hidden = isSensitiveName(name) && member !== null && typeof member !== 'boolean' && member !== '';
    return [redact(name), hidden ? REDACTED : redactedJson(member, redact, depthLeft - 1)] as const;
  });
  return Object.fromEntries(members); // defines members, so `__proto__` is only a name
}

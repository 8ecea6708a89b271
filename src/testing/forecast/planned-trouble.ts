import type { Random } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import type { ConnectorFaultPlan, ForecastPlan, SinkFaultPlan } from '#core/forecast.ts';
import { HTTP_STATUS_FAULTS } from '#sdk/index.ts';

const RATE_LIMIT_RETRY_MS = 60_000; // what a 429 of the simulation states

/** The fault of a connector that this call meets; undefined: none. Times in milliseconds since the start. */
export function connectorTrouble(
  plan: ForecastPlan,
  connector: string,
  atMs: number,
  random: Random,
): ConnectorFaultPlan | undefined {
  for (const fault of plan.faults)
    if ('connector' in fault && fault.connector === connector && meets(fault, atMs, random)) return fault;
  return undefined;
}

export function sinkTrouble(plan: ForecastPlan, sink: string, atMs: number, random: Random): SinkFaultPlan | undefined {
  for (const fault of plan.faults)
    if ('sink' in fault && fault.sink === sink && meets(fault, atMs, random)) return fault;
  return undefined;
}

function meets(fault: { from: number; for: number; share: number }, atMs: number, random: Random): boolean {
  const on = atMs >= fault.from && atMs < fault.from + fault.for;
  return on && (fault.share === 1 || random.float() < fault.share);
}

/** As the HTTP client of a connector would report it. */
export function faultOfAnswer(answer: number | 'unreachable', nowMs: number): Fault {
  if (answer === 'unreachable') return new Fault('upstream_unavailable', 'the simulated API does not answer');
  const code = HTTP_STATUS_FAULTS[answer] ?? (answer >= 500 ? 'upstream_unavailable' : 'bad_upstream');
  return new Fault(
    code,
    `the simulated API answered with status ${answer}`,
    code === 'rate_limited' ? { retryAtMs: nowMs + RATE_LIMIT_RETRY_MS } : {},
  );
}

/** `02:40 github answers 502 for 40 m`. */
export function describeFault(fault: ForecastPlan['faults'][number]): string {
  const share = fault.share === 1 ? '' : ` to ${Math.round(fault.share * 100)} %`;
  const who = 'connector' in fault ? `the API of ${fault.connector}` : `the sink ${fault.sink}`;
  const does = typeof fault.answer === 'number' ? `answers ${fault.answer}` : WORDS[fault.answer];
  return `${who} ${does}${share} for ${durationText(fault.for)}`;
}

const WORDS = {
  timeout: 'does not answer in time',
  unreachable: 'cannot be reached',
  slow: 'is slow',
  down: 'is down',
  reject: 'refuses events',
  lost_answer: 'writes without answering',
} as const;

/** `2 h 5 m`, `40 m`, `30 s`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const shown = parts.filter(([count]) => count > 0).slice(0, 2);
  return shown.length === 0 ? '0 s' : shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

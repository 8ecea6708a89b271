import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SimulateFlags } from '#cli/host.ts';
import type { Terminal } from '#cli/terminal.ts';
import { parseForecastPlan } from '#config/forecast-plan.ts';
import { Fault } from '#core/fault.ts';
import type { ForecastPlan, ForecastReport } from '#core/forecast.ts';
import { forecast, type ForecastSink } from '#testing/forecast/forecast.ts';
import { toConnection } from './compose.ts';
import type { LoadedConfig } from './read-config.ts';
import { bindingFilter } from './sinks.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BUILT_IN = ['timeline', 'library'];

export interface SimulateOptions {
  readonly flags: SimulateFlags;
  readonly loaded: LoadedConfig;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** Runs a forecast on the configuration. Opens no data, calls nothing. */
export function simulate({ flags, loaded, cwd, signal, terminal }: SimulateOptions): Promise<ForecastReport> {
  const { config } = loaded.parsed;
  const connections = config.connections.filter(({ enabled }) => enabled);
  if (connections.length === 0)
    throw new Fault('config_invalid', `${loaded.file} has no enabled connector: there is nothing to simulate`);
  const sinks = config.sinks
    .filter(({ enabled }) => enabled)
    .map((sink): ForecastSink => ({ name: sink.name, type: sink.type, from: 'oldest', accepts: bindingFilter(sink) }));
  const names = {
    connectors: connections.map(({ name }) => name),
    sinks: [...BUILT_IN, ...sinks.map(({ name }) => name)],
  };
  const plan =
    flags.faults === undefined ? examplePlan(names) : readPlan(resolve(cwd, flags.faults), flags.faults, names);
  const durationMs = flags.days * DAY_MS;
  return forecast({
    seed: flags.seed,
    durationMs,
    plan,
    connections: connections.map((connection) => toConnection(connection, { config, connectors: loaded.connectors })),
    sinks,
    engine: { queue: config.queue, scheduler: config.scheduler, health: config.health, delivery: config.delivery },
    signal,
    progress: inSteps((percent) => terminal.progress(`simulated ${percent} % of ${flags.days} d`), durationMs),
  });
}

const STEP_PERCENT = 10;

function inSteps(tell: (percent: number) => void, durationMs: number): (passedMs: number) => void {
  let told = 0;
  return (passedMs) => {
    const percent = Math.floor((passedMs / durationMs) * (100 / STEP_PERCENT)) * STEP_PERCENT;
    if (percent > told) tell(percent);
    told = percent;
  };
}

/** Without a plan: every API fails for 40 minutes, then every external sink (or the library) is down for two hours. */
function examplePlan({ connectors, sinks }: { connectors: readonly string[]; sinks: readonly string[] }): ForecastPlan {
  const external = sinks.filter((name) => !BUILT_IN.includes(name));
  return {
    rates: {},
    faults: [
      ...connectors.map((connector) => ({ connector, answer: 502, from: HOUR_MS, for: (2 / 3) * HOUR_MS, share: 1 })),
      ...(external.length === 0 ? ['library'] : external).map((sink) => ({
        sink,
        answer: 'down' as const, // keeps the member of the union
        from: 4 * HOUR_MS,
        for: 2 * HOUR_MS,
        share: 1,
      })),
    ],
  };
}

function readPlan(
  path: string,
  shown: string,
  names: { connectors: readonly string[]; sinks: readonly string[] },
): ForecastPlan {
  try {
    return parseForecastPlan({ text: readFileSync(path, 'utf8'), file: shown, ...names });
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(
      'input_invalid',
      `${shown} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

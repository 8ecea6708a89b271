import type { SimulationPlan } from './fault-plan.ts';
import type { SimulationResult } from './simulate.ts';

const TRIES_MAX = 80; // simulations spent on one failing plan

/** The simplest plan found that still breaks the same rule: fewer faults, fewer events, fewer of everything. */
export async function shrink(
  failed: SimulationResult,
  run: (plan: SimulationPlan) => Promise<SimulationResult>,
): Promise<SimulationResult> {
  const rule = failed.violations[0]?.rule;
  let best = failed;
  let tries = 0;
  for (let improved = true; improved;) {
    improved = false;
    for (const candidate of simplerThan(best.plan)) {
      if (tries >= TRIES_MAX) return best;
      tries += 1;
      const result = await run(candidate);
      if (!result.violations.some((violation) => violation.rule === rule)) continue;
      best = result;
      improved = true;
      break;
    }
  }
  return best;
}

function* simplerThan(plan: SimulationPlan): Generator<SimulationPlan> {
  const { faults, sinks } = plan;
  // Halves first: most kinds have nothing to do with it.
  const half = Math.ceil(faults.length / 2);
  if (faults.length > 2) {
    yield { ...plan, faults: faults.slice(0, half) };
    yield { ...plan, faults: faults.slice(half) };
  }
  if (plan.workers > 1) yield { ...plan, workers: 1 };
  if (plan.tenants > 1) yield { ...plan, tenants: 1 };
  if (plan.connections > 1) yield { ...plan, connections: 1 };
  if (plan.senders > 0) yield { ...plan, senders: 0 };
  for (const sink of sinks) yield { ...plan, sinks: sinks.filter((one) => one !== sink) };
  if (plan.events > 1) yield { ...plan, events: Math.floor(plan.events / 2) };
  for (const fault of faults) yield { ...plan, faults: faults.filter((one) => one !== fault) };
}

import { planOf, type SimulationPlan } from './fault-plan.ts';
import { shrink } from './shrink.ts';
import { simulatePlan, type SimulationResult } from './simulate.ts';

const TRACE_LINES_MAX = 60;

/** For the test output, by `run` again: what was broken, the one command that shows it again, and the simplest story found. */
export async function failureReport(
  failed: SimulationResult,
  run: (plan: SimulationPlan) => Promise<SimulationResult> = simulatePlan,
): Promise<string> {
  const smallest = await shrink(failed, run);
  return [
    `seed ${failed.plan.seed} broke ${failed.violations.length} promises:`,
    ...failed.violations.map(({ rule, what }) => `  ${rule}: ${what}`),
    'to see it again:',
    `  ${commandOf(failed)}`,
    'the smallest plan found that breaks the same rule:',
    `  ${commandOf(smallest)}`,
    ...smallest.violations.map(({ rule, what }) => `  ${rule}: ${what}`),
    'what happened in it, newest last:',
    ...smallest.trace.slice(-TRACE_LINES_MAX).map((line) => `  ${line.trimEnd()}`),
  ].join('\n');
}

/** Only what differs from the plan the seed makes by itself. */
function commandOf({ plan }: SimulationResult): string {
  const made: Readonly<Record<string, unknown>> = { ...planOf(plan.seed) };
  const changed = Object.entries(plan).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(made[name]));
  const more = changed.length === 0 ? '' : ` WEIR_SIM_PLAN='${JSON.stringify(Object.fromEntries(changed))}'`;
  return `WEIR_SIM_SEED=${plan.seed}${more} npm test -- test/simulation.test.ts`;
}

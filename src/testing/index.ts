// What a program imports to try its own sinks and connectors on Weir in simulated worlds (docs/testing.md).

export type { WriteResult } from '#core/sink.ts';
export { failureReport } from './simulation/failure-report.ts';
export {
  FAULT_KINDS,
  planOf,
  SINK_KINDS,
  type FaultKind,
  type SimulationMode,
  type SimulationPlan,
  type SinkKind,
} from './simulation/fault-plan.ts';
export type { Violation } from './simulation/history.ts';
export { entityOf, type HeldEntity, type SimulatedStore } from './simulation/receiver.ts';
export { shrink } from './simulation/shrink.ts';
export { simulate, simulatePlan, type SimulationParts, type SimulationResult } from './simulation/simulate.ts';

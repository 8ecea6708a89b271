import { listAlerts, silenceAlerts } from './alerts.ts';
import { checkConnections } from './check-connections.ts';
import { drillConnector } from './drill-connector.ts';
import { listConnectors } from './list-connectors.ts';
import { listEvents } from './list-events.ts';
import { listNeighbours } from './list-neighbours.ts';
import type { Operation } from './operation.ts';
import { getQueueStats, peekQueue } from './queue.ts';
import { resetCircuit } from './reset-circuit.ts';
import { runConnector } from './run-connector.ts';
import { searchDocuments } from './search-documents.ts';
import { getWorkerLag } from './worker-lag.ts';

/** Every verb of the product. A verb that is not here exists on no surface. */
export const OPERATIONS: readonly Operation[] = [
  listConnectors,
  drillConnector,
  runConnector,
  checkConnections,
  resetCircuit,
  searchDocuments,
  listNeighbours,
  listEvents,
  getQueueStats,
  peekQueue,
  getWorkerLag,
  listAlerts,
  silenceAlerts,
];

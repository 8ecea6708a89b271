import { listAlerts, silenceAlerts } from './alerts.ts';
import { checkConnections } from './check-connections.ts';
import { discardDeadLetters } from './discard-dead-letters.ts';
import { drillConnector } from './drill-connector.ts';
import { editDeadLetter } from './edit-dead-letter.ts';
import { exportDeadLetters } from './export-dead-letters.ts';
import { listConnectors } from './list-connectors.ts';
import { groupDeadLetters, listDeadLetters } from './list-dead-letters.ts';
import { listEvents } from './list-events.ts';
import { listNeighbours } from './list-neighbours.ts';
import type { Operation } from './operation.ts';
import { getQueueStats, peekQueue } from './queue.ts';
import { replayDeadLetters } from './replay-dead-letters.ts';
import { resetCircuit } from './reset-circuit.ts';
import { runConnector } from './run-connector.ts';
import { searchDocuments } from './search-documents.ts';
import { showDeadLetter } from './show-dead-letter.ts';
import { listSinks, removeSink, rereadSink, resumeSink } from './sinks.ts';
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
  listDeadLetters,
  groupDeadLetters,
  showDeadLetter,
  replayDeadLetters,
  editDeadLetter,
  discardDeadLetters,
  exportDeadLetters,
  listSinks,
  resumeSink,
  rereadSink,
  removeSink,
  getWorkerLag,
  listAlerts,
  silenceAlerts,
];

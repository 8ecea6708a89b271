const KIB = 1024;
const MIB = 1024 * KIB;

/** What one client may cost. Tests pass smaller numbers to reach them. */
export const SERVER_LIMITS = {
  bodyBytesMax: 1 * MIB, // more: 413 while it is still arriving
  headerBytesMax: 16 * KIB, // more: 431
  headersTimeoutMs: 10_000, // slower: 408 and close
  requestTimeoutMs: 15_000, // for receiving alone: the answer of a long run may take longer
  timeoutCheckMs: 2_000, // how late the two above may be noticed
  keepAliveMs: 10_000,
  connectionsMax: 1024, // further ones are closed at once; far above what a browser and some scripts open
  requestIdCharsMax: 64, // longer: a new one is made
  pathMemberCharsMax: 1024, // longer: 414
  portsTriedMax: 20, // from the asked port upwards, when it was not asked for by name
  drainMs: 5_000, // how long requests may go on after close() began; then their work is aborted
  abortMs: 1_000, // and how long they have to answer after that
  retryAfterSeconds: 5, // told to clients when the fault knows no better
  problemsMax: 50, // findings listed in one answer
  detailCharsMax: 500,
  dashboardFilesMax: 500,
  dashboardBytesMax: 16 * MIB, // held in memory
} as const;

export type ServerLimits = { readonly [Name in keyof typeof SERVER_LIMITS]: number };

/** The live stream, per client where nothing else is said. */
export const STREAM_LIMITS = {
  clientsMax: 64, // of all together; the next one gets 503
  lookMs: 250, // how often new events are looked for
  stateMs: 1_000, // connectors and queue are computed at most this often
  heartbeatMs: 15_000,
  reopenMs: 1_000, // told to browsers: how soon to connect again
  pageRows: 50, // events read and written in one step
  gapRowsMax: 1_000, // further behind: told to reload instead
  reloadMs: 5_000, // at most one reload in this time, so that a flood does not make clients fetch everything in a loop
  eventBytesMax: 64 * KIB, // larger events go without their text and data
  bufferBytesMax: 4 * MIB, // unread by the client: cut off. Above one page of the largest events
  stallMs: 30_000, // nothing read by the client: cut off
  retryAfterFaultMs: 5_000, // pause after the store could not be read
} as const;

export type StreamLimits = { readonly [Name in keyof typeof STREAM_LIMITS]: number };

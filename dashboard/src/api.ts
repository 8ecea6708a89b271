// What the HTTP API answers. Members are snake_case as on the wire. Every text in here comes from outside: show it through
// display-text.ts, never as markup.

export type HealthStatus = 'healthy' | 'degraded' | 'down' | 'unknown';
export type Outcome = 'succeeded' | 'partial' | 'failed';
export type CircuitState = 'closed' | 'open' | 'half_open';

export interface HealthMetrics {
  readonly total_calls: number;
  /** 0 to 1. */
  readonly error_rate: number;
  /** Null when there were no calls in the window. */
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
}

export interface Connector {
  readonly name: string;
  readonly type: string;
  readonly tenant: string;
  readonly enabled: boolean;
  readonly health: { readonly status: HealthStatus; readonly reason: string; readonly metrics: HealthMetrics };
  readonly last_result: Outcome | null;
  /** A phrase: `idle`, `running 412/1000`, `retrying 2/3, next in 12 s`, `paused`. */
  readonly activity: string;
  readonly circuit_state: CircuitState;
  /** RFC 3339. */
  readonly last_success: string | null;
  /** RFC 3339. */
  readonly next_run: string | null;
  readonly events_total: number;
}

/** `GET /api/v1/connectors`, and the data of SSE `connectors`. */
export interface ConnectorList {
  readonly schemaVersion: number | string;
  /** One sentence: what is wrong, or that nothing is. */
  readonly summary: string;
  /** Worst first. */
  readonly connectors: readonly Connector[];
}

export interface StreamState {
  readonly name: string;
  /** The cursor as its connector defines it. */
  readonly cursor: unknown;
  readonly cursor_at: string | null;
  readonly events_total: number;
  readonly next_run: string | null;
  /** Failures in a row. */
  readonly failures: number;
  readonly reconcile_due: string | boolean | null;
}

export interface RunCounts {
  readonly pages: number;
  readonly appended: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly failed: number;
  /** Entries left out on purpose, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

export interface Run {
  readonly id: string;
  readonly stream: string;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly outcome: string | null;
  readonly counts: Partial<RunCounts>;
  readonly message: string | null;
}

export interface RecentFailure {
  readonly time: string;
  readonly operation: string;
  readonly code: string;
  readonly message: string;
}

/** `GET /api/v1/connectors/:name`. */
export interface ConnectorDrill extends Connector {
  readonly schemaVersion: number | string;
  readonly streams: readonly StreamState[];
  readonly recent_runs: readonly Run[];
  readonly recent_failures: readonly RecentFailure[];
  readonly dead_letters: number;
}

/** `POST /api/v1/connectors/:name/runs`. */
export interface RunAnswer {
  readonly schemaVersion: number | string;
  readonly runs: readonly Run[];
}

export interface SearchResult {
  readonly connector: string;
  readonly tenant: string;
  readonly stream: string;
  readonly key: string;
  readonly title: string;
  readonly url: string | null;
  /** From 1; null when only the title matched. */
  readonly line: number | null;
  /** Hits stand between U+0002 and U+0003. */
  readonly snippet: string;
  readonly score: number;
  readonly time: string;
}

/** `GET /api/v1/search`. */
export interface SearchPage {
  readonly schemaVersion: number | string;
  readonly total: number;
  readonly results: readonly SearchResult[];
}

/** CloudEvents 1.0; an item of `GET /api/v1/events`, and the data of SSE `event`. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly tenantid: string;
  readonly connectorid: string;
  readonly severity?: string;
  readonly sequence: string;
  readonly data: {
    readonly kind?: string;
    readonly title?: string;
    readonly url?: string;
    readonly tags?: readonly string[];
  } | null;
}

export interface EventPage {
  readonly schemaVersion: number | string;
  /** Newest first. */
  readonly items: readonly CloudEvent[];
  readonly next_cursor: string | null;
}

/** `GET /api/v1/queue`, and the data of SSE `queue`. */
export interface QueueStats {
  readonly schemaVersion: number | string;
  readonly queue_name: string;
  readonly size: number;
  readonly max_size: number;
  /** Percent, 0 to 100. */
  readonly usage_pct: number;
  readonly backpressure: boolean;
  readonly oldest_age_seconds: number | null;
  readonly sinks: readonly { readonly name: string; readonly lag: number }[];
}

/** `application/problem+json`, RFC 9457. Members are optional here: a proxy in between may answer with less. */
export interface ProblemAnswer {
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly code?: string;
  readonly request_id?: string;
  readonly hint?: string;
}

import { z } from 'zod';

export const HEARTBEAT_INTERVAL_MS = 5000;
export const HEARTBEAT_LATE_MS = 60_000; // older: the worker is taken for dead

/** What the worker writes each cycle, so that anybody can see whether it turns. */
export const HeartbeatSchema = z.object({
  pid: z.int(),
  /** Wall time: it is read by people and by other processes. */
  at: z.iso.datetime(),
  cycle: z.int(),
  runs_inflight: z.int(),
});

export interface Heartbeat {
  readonly pid: number;
  readonly atMs: number;
  readonly cycle: number;
  readonly runsInflight: number;
}

export function formatHeartbeat({ pid, atMs, cycle, runsInflight }: Heartbeat): string {
  const file: z.infer<typeof HeartbeatSchema> = {
    pid,
    at: new Date(atMs).toISOString(),
    cycle,
    runs_inflight: runsInflight,
  };
  return `${JSON.stringify(file)}\n`;
}

/** Undefined for a file that is not a heartbeat: a half-written one says as little as none. */
export function parseHeartbeat(text: string): Heartbeat | undefined {
  try {
    const { pid, at, cycle, runs_inflight: runsInflight } = HeartbeatSchema.parse(JSON.parse(text));
    return { pid, atMs: Date.parse(at), cycle, runsInflight };
  } catch {
    return undefined;
  }
}

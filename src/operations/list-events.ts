import { z } from 'zod';
import { toCloudEvent } from '#core/cloud-event.ts';
import { Fault } from '#core/fault.ts';
import type { TimelineQuery } from '#core/timeline.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { cloudEvent, connectorName, kind, limitOf, severity } from './shapes.ts';

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const rfc3339 = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
const AGO = /^(\d{1,6})([smhd])$/;

const time = z.string().max(40).describe('RFC 3339, or an age such as 90s, 15m, 2h, 7d');

/** One filter for the list, its count and whatever acts on it. */
export const eventFilter = z.strictObject({
  connector: connectorName.optional(),
  kind: kind.optional(),
  severity: severity.optional(),
  tag: z.string().max(64).optional(),
  text: z.string().max(200).optional().describe('substring of title, text and key, whatever its case'),
  since: time.optional().describe('inclusive'),
  until: time.optional().describe('exclusive'),
});

export const listEvents = defineOperation({
  name: 'events.list',
  title: 'Events in time order, newest first',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/events' },
  input: eventFilter.extend({
    limit: limitOf(200, 50),
    cursor: z.string().max(64).optional().describe('next_cursor of the page before'),
    after: z.coerce
      .number()
      .int()
      .nonnegative()
      .optional()
      .describe('only what was stored after this row, oldest first: for following'),
  }),
  output: z.object({
    schemaVersion,
    items: z.array(cloudEvent),
    next_cursor: z.string().nullable(),
    newest: z.int().describe('number of the newest stored row: where following goes on'),
  }),
  async run(ctx, { limit, cursor, after, ...filter }) {
    const newest = await ctx.store.timeline.newest();
    const page = await ctx.store.timeline.query({
      ...toTimelineFilter(filter, ctx.env.clock.now()),
      tenants: ctx.tenants,
      limit,
      ...(cursor === undefined ? {} : { before: cursor }),
      ...(after === undefined ? {} : { after }),
    });
    const shown = Math.max(0, ...page.rows.map(({ row }) => row));
    // A full page of followed rows may not be all; and a row stored since `newest` was read must not come again.
    const reached = after !== undefined && page.rows.length === limit ? shown : Math.max(newest, shown);
    return {
      schemaVersion: SCHEMA_VERSION,
      items: page.rows.map(({ event }) => ({ ...toCloudEvent(event) })),
      next_cursor: page.next ?? null,
      newest: reached,
    };
  },
});

function toTimelineFilter(
  { connector, since, until, ...rest }: z.infer<typeof eventFilter>,
  nowMs: number,
): Omit<TimelineQuery, 'tenants' | 'limit'> {
  const query = {
    ...rest,
    connection: connector,
    sinceMs: since === undefined ? undefined : parseMoment(since, nowMs),
    untilMs: until === undefined ? undefined : parseMoment(until, nowMs),
  };
  // Absent filters are absent, not undefined.
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

/** `2026-01-01T00:00:00Z` or an age such as `15m` → milliseconds since the epoch. Throws `input_invalid`. */
export function parseMoment(text: string, nowMs: number): number {
  const [, amount, unit] = AGO.exec(text) ?? [];
  if (amount !== undefined && (unit === 's' || unit === 'm' || unit === 'h' || unit === 'd'))
    return nowMs - Number(amount) * UNIT_MS[unit];
  // Date.parse takes much more than times ('-1', 30 February): only what RFC 3339 allows is given to it. A date alone is its midnight in UTC.
  const ms = rfc3339.safeParse(text.toUpperCase()).success ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new Fault(
      'input_invalid',
      `${JSON.stringify(text)} is neither a time (2026-01-31T14:00:00Z) nor an age (90s, 15m, 2h, 7d)`,
    );
  return ms;
}

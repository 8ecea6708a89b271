import { z } from 'zod';
import { PULL_STAGE, type DeadLetterDetail } from '#core/dead-letter.ts';
import { EVENT_LIMITS, EventSchema, eventOfPayload, type Event } from '#core/event.ts';
import { FAULTS, Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import { letter, letterId, lettersMissing, toLetterView } from './dead-letter-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';

/** What says which state of which entity it is: changed, the sink's version guard would judge another event (I4). */
const IDENTITY = ['id', 'tenant', 'connection', 'connector', 'stream', 'key', 'version', 'op'] as const;

const ENVELOPE_BYTES = 64 * 1024; // around the event: member names, white space

export const editDeadLetter = defineOperation({
  name: 'dlq.edit',
  title: 'Change what a replay of one dead letter sends, or take the change back',
  role: 'operator',
  changes: true,
  http: {
    method: 'POST',
    path: '/api/v1/dead-letters/:id/edit',
    bodyBytesMax: EVENT_LIMITS.payloadBytesMax + ENVELOPE_BYTES,
  },
  input: z.strictObject({
    id: letterId,
    payload: EventSchema.optional().describe(`the whole event; ${IDENTITY.join(', ')} stay as they are`),
    reset: z.boolean().default(false).describe('send the first contents again'),
  }),
  output: letter.extend({ schemaVersion }),
  async run(ctx, { id, payload, reset }) {
    if (reset === (payload !== undefined)) throw new Fault('input_invalid', 'give either payload or reset');
    const found = await ctx.store.deadLetters.get(ctx.tenants, id);
    if (found === undefined) throw lettersMissing([id]);
    const next = payload === undefined ? undefined : checkedEdit(found, payload);
    if (!(await ctx.store.deadLetters.edit(ctx.tenants, id, next))) throw await whyNotEdited(ctx, id, found.stage);
    const edited = await ctx.store.deadLetters.get(ctx.tenants, id);
    if (edited === undefined) throw lettersMissing([id]);
    return { schemaVersion: SCHEMA_VERSION, ...toLetterView(edited) };
  },
});

async function whyNotEdited(
  { store, tenants }: Parameters<typeof editDeadLetter.run>[0],
  id: number,
  sink: string,
): Promise<Fault> {
  if ((await store.deadLetters.get(tenants, id)) === undefined) return lettersMissing([id]);
  return new Fault(
    'already_running',
    `dead letter ${id} is about to be offered to ${sink}; edit it when it has come back`,
  );
}

function checkedEdit({ id, stage, payload }: DeadLetterDetail, edited: Event): JsonValue {
  if (stage === PULL_STAGE || payload === undefined)
    throw new Fault('not_replayable', `dead letter ${id} is a raw record: ${FAULTS.not_replayable.hint}`);
  const before = eventOfPayload(payload);
  const problems = IDENTITY.filter((member) => edited[member] !== before[member]).map((member) => ({
    path: `/payload/${member}`,
    problem: `must stay ${JSON.stringify(before[member])}`,
  }));
  if (problems.length > 0)
    throw new Fault('input_invalid', problems.map(({ path, problem }) => `${path} ${problem}`).join('; '), {
      problems,
    });
  const bytes = Buffer.byteLength(serialised(edited));
  if (bytes > EVENT_LIMITS.payloadBytesMax)
    throw new Fault('record_too_large', `the edited event has ${bytes} bytes`, {
      details: { limit: `${EVENT_LIMITS.payloadBytesMax} bytes` },
    });
  // Absent members of an event are absent, and every other one is JSON by its schema.
  return edited as unknown as JsonValue;
}

function serialised(event: Event): string {
  try {
    return JSON.stringify(event);
  } catch (error) {
    throw new Fault('input_invalid', 'the payload is nested too deep to be written as JSON', { cause: error });
  }
}

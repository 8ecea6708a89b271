import { z } from 'zod';
import { deadLetterClassOf, PULL_STAGE, type DeadLetterClass, type DeadLetterDetail } from '#core/dead-letter.ts';
import { FAULTS, Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import { letter, letterId, lettersMissing, toLetterView } from './dead-letter-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';

export const letterDetail = letter.extend({
  payload: z
    .custom<JsonValue>()
    .nullable()
    .describe('the event or raw record as it was stored first; text when it was cut, null when none was kept'),
  payload_cut: z.boolean().describe('a raw record that was too long to keep whole'),
  edited_payload: z.custom<JsonValue>().nullable().describe('what a replay sends instead'),
  history: z
    .array(z.object({ at: z.string(), code: z.string(), message: z.string() }))
    .describe('tries with their reasons, newest first'),
});

export const showDeadLetter = defineOperation({
  name: 'dlq.show',
  title: 'One dead letter: contents, every try, what to do',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/dead-letters/:id' },
  input: z.strictObject({ id: letterId }),
  output: letterDetail.extend({
    schemaVersion,
    replayable: z.boolean(),
    hint: z.string().describe('what its reason means'),
    next_step: z.string(),
  }),
  async run(ctx, { id }) {
    const found = await ctx.store.deadLetters.get(ctx.tenants, id);
    if (found === undefined) throw lettersMissing([id]);
    const { code, message, connection, stage } = found;
    return {
      schemaVersion: SCHEMA_VERSION,
      ...toLetterDetail(found),
      replayable: stage !== PULL_STAGE,
      hint:
        FAULTS[code].retry === 'never'
          ? new Fault(code, message, { details: { connection, sink: stage, limit: 'a limit' } }).hint
          : 'It failed each time, while the other side took other calls.',
      next_step: nextStepOf(found),
    };
  },
});

export function toLetterDetail(from: DeadLetterDetail): z.infer<typeof letterDetail> {
  return {
    ...toLetterView(from),
    payload: from.payload === undefined ? null : from.payloadCut ? from.payload : parsed(from.payload),
    payload_cut: from.payloadCut,
    edited_payload: from.editedPayload === undefined ? null : parsed(from.editedPayload),
    history: from.history
      .map(({ atMs, code, message }) => ({ at: new Date(atMs).toISOString(), code, message }))
      .reverse(),
  };
}

/** Payloads are written as JSON; one that no longer is would otherwise make its letter unreadable. */
function parsed(payload: string): JsonValue {
  try {
    return JSON.parse(payload) as JsonValue; // what JSON.parse gives is JSON
  } catch {
    return payload;
  }
}

const STEPS: Readonly<Record<DeadLetterClass, (id: number) => string>> = {
  source: (id) =>
    `Correct it at its source: the next version makes this one needless. Or \`weir dlq edit ${id} --file F\`, then \`weir dlq replay ${id}\`.`,
  authorisation: (id) => `Renew the credential or grant the access, then \`weir dlq replay ${id}\`.`,
  sink: (id) => `Correct the sink, or the event with \`weir dlq edit ${id} --file F\`; then \`weir dlq replay ${id}\`.`,
  defect: (id) => `Look at the tries above before \`weir dlq replay ${id}\`; report it when it comes back.`,
};

function nextStepOf({ id, stage, code, state }: DeadLetterDetail): string {
  if (state === 'queued') return 'Nothing: it is offered to its sink next.';
  if (stage === PULL_STAGE)
    return 'It is no event yet: correct it at its source. When a pull brings it, this letter goes by itself.';
  return STEPS[deadLetterClassOf(code)](id);
}

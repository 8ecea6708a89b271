import type { DeadLetter, DeadLetterDetail, DeadLetterGroup, QueuedLetter } from '#core/dead-letter.ts';
import { eventOfPayload } from '#core/event.ts';
import type { Attempt } from '#core/event-log.ts';
import { FAULTS, type FaultCode } from '#core/fault.ts';
import { intactEventAt, numberAt, numberOrUndefined, textAt, textOrUndefined, type Row } from './row.ts';

export function toDeadLetter(row: Row): DeadLetter {
  const eventId = textAt(row, 'event_id');
  return {
    id: numberAt(row, 'id'),
    tenant: textAt(row, 'tenant'),
    connection: textAt(row, 'connection'),
    stage: textAt(row, 'stage'),
    stream: textAt(row, 'stream'),
    key: textAt(row, 'key'),
    eventId: eventId === '' ? undefined : eventId,
    version: numberOrUndefined(row, 'version'),
    code: toFaultCode(textAt(row, 'code')),
    message: textAt(row, 'message'),
    attempts: numberAt(row, 'attempts'),
    firstAtMs: numberAt(row, 'first_at_ms'),
    lastAtMs: numberAt(row, 'last_at_ms'),
    state: numberAt(row, 'queued') === 1 ? 'queued' : 'dead',
    edited: numberAt(row, 'is_edited') === 1,
    payloadBytes: numberAt(row, 'payload_bytes'),
  };
}

export function toDetail(row: Row, attempts: readonly Row[]): DeadLetterDetail {
  return {
    ...toDeadLetter(row),
    payload: textOrUndefined(row, 'payload'),
    payloadCut: numberAt(row, 'cut') === 1,
    editedPayload: textOrUndefined(row, 'edited'),
    history: attempts.map(toAttempt),
  };
}

export function toGroup(row: Row): DeadLetterGroup {
  return {
    tenant: textAt(row, 'tenant'),
    connection: textAt(row, 'connection'),
    stage: textAt(row, 'stage'),
    stream: textAt(row, 'stream'),
    code: toFaultCode(textAt(row, 'code')),
    count: numberAt(row, 'count'),
    queued: numberAt(row, 'queued'),
    firstAtMs: numberAt(row, 'first_at_ms'),
    lastAtMs: numberAt(row, 'last_at_ms'),
    message: textAt(row, 'message'),
    sampleId: numberAt(row, 'sample_id'),
  };
}

export function toQueuedLetter(row: Row): QueuedLetter {
  const id = numberAt(row, 'id');
  const event =
    numberAt(row, 'is_edited') === 1 ? eventOfPayload(textAt(row, 'payload')) : intactEventAt(row, `dead letter ${id}`);
  return { id, entry: { position: numberAt(row, 'position'), observedAtMs: numberAt(row, 'first_at_ms'), event } };
}

function toAttempt(row: Row): Attempt {
  return { atMs: numberAt(row, 'at_ms'), code: toFaultCode(textAt(row, 'code')), message: textAt(row, 'message') };
}

/** Codes are written from the closed table; one that a later version retired reads as `internal`. */
export function toFaultCode(code: string): FaultCode {
  return Object.hasOwn(FAULTS, code) ? (code as FaultCode) : 'internal'; // hasOwn has just proven membership
}

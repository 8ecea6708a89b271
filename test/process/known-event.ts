// Events whose whole content follows from connection, key and version: whoever meets one can say what it must be.

import { sealEvent, type EventDraft, type SealedEvent } from '#core/event.ts';

export const TENANT = 'default';
/** The connection that events sent to the append server belong to. */
export const SENT = 'sent';
const KEY = /^[a-z0-9-]+\.(\d+)$/;

/** A key says how long the text of its events is: `name.bytes`. */
export function keyOf(name: string, textBytes: number): string {
  return `${name}.${textBytes}`;
}

export function draftOf(key: string, version: number): EventDraft {
  const bytes = Number(KEY.exec(key)?.[1] ?? 0);
  const words = `${key}v${version} `;
  return {
    kind: 'document',
    op: 'upsert',
    key,
    version,
    time: '2026-01-01T00:00:00.000Z',
    title: `${key} as of ${version}`,
    text: words.repeat(Math.ceil(bytes / words.length)).slice(0, bytes),
    data: { version },
  };
}

export function eventOf(connection: string, key: string, version: number): SealedEvent {
  return sealEvent({ tenant: TENANT, connection, stream: 'docs', connector: 'known' }, draftOf(key, version));
}

import type { Event } from './event.ts';
import type { JsonValue } from './json.ts';

/** CloudEvents 1.0, structured mode. Extension names are lower-case letters and digits only, as the specification demands. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  /** `/tenants/<t>/connectors/<c>/<stream>`; with `id` it identifies the event. */
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly tenantid: string;
  readonly connectorid: string;
  readonly severity?: string;
  readonly traceparent?: string;
  /** The version, zero-padded so that it sorts as text per subject. */
  readonly sequence: string;
  readonly data: JsonValue;
}

const VERSION_DIGITS = 16; // 2^53 has sixteen

/** Event → CloudEvent. `data` carries everything that has no attribute of its own. */
export function toCloudEvent(event: Event): CloudEvent {
  const {
    id,
    tenant,
    connection,
    connector,
    stream,
    op,
    key,
    version,
    time,
    severity,
    context,
    kind,
    title,
    url,
    tags,
    links,
    text,
    acl,
    data,
  } = event;
  const traceparent = context?.['traceparent'];
  // Undefined members vanish when written as JSON: an absent field stays absent.
  const body = { kind, title, url, tags, links, text, acl, context, data } as unknown as JsonValue;
  return {
    specversion: '1.0',
    id,
    source: `/tenants/${tenant}/connectors/${connection}/${stream}`,
    type: `weir.${connector}.${stream}.${op}`,
    subject: key,
    time,
    datacontenttype: 'application/json',
    tenantid: tenant,
    connectorid: connection,
    ...(severity === undefined ? {} : { severity }),
    ...(traceparent === undefined ? {} : { traceparent }),
    sequence: String(version).padStart(VERSION_DIGITS, '0'),
    data: body,
  };
}

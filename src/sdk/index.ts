// Everything a connector or sink may use. Plugins import this file, zod and Node, and nothing else of Weir.

export { defineConnector, defineStream } from './define-connector.ts';
export { defineSink } from './define-sink.ts';
export { confinedPath } from './confined-path.ts';
export type { CheckFinding, Connector, ConnectorContext, LogLine, Page, Stream } from '#core/connector.ts';
export type {
  HttpAnswer,
  HttpAnswerHead,
  HttpAuthorize,
  HttpClient,
  HttpMethod,
  HttpOutgoing,
  HttpProfile,
  HttpRequest,
  HttpStreamAnswer,
} from '#core/http.ts';
export { cursorPages, linkPages, offsetPages, PAGINATE_LIMITS } from './http-paginate.ts';
export type { CursorPageOptions, LinkPageOptions, OffsetPageOptions } from './http-paginate.ts';
export { nextLinkOf, parseLinkHeader } from './link-header.ts';
export type { Link } from './link-header.ts';
export { HTTP_BODY_LIMITS } from './http-body.ts';
export { HTTP_STATUS_FAULTS } from './http-faults.ts';
export type { Clock, Random } from '#core/env.ts';
export { EVENT_LIMITS, SEVERITIES, versionOfCounter, versionOfTime } from '#core/event.ts';
export type { EventDraft, Kind, Severity } from '#core/event.ts';
export type { LogEntry, PullFailure } from '#core/event-log.ts';
export { Fault, toFault } from '#core/fault.ts';
export type { FaultCode } from '#core/fault.ts';
export type { JsonObject, JsonValue } from '#core/json.ts';
export { toPlainLine, toPlainText } from '#core/plain-text.ts';
export { toCloudEvent } from '#core/cloud-event.ts';
export type { Sink, SinkAnswer, SinkContext, SinkDefinition, SinkRequest, WriteResult } from '#core/sink.ts';
export { STANDARD_WEBHOOK_SECRET, standardWebhookHeaders } from '#core/standard-webhook.ts';
export { parseRetryAfter } from '#policies/retry-after.ts';

import type { FastifyInstance } from 'fastify';
import { Fault, FAULTS, type FaultCode, type FaultRow } from '#core/fault.ts';
import type { Operation } from '#operations/operation.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { queryOf } from './query-members.ts';
import { openApiDocument } from './openapi.ts';
import { FAULT_PAGE, titleOf } from './problem.ts';

export interface DocumentRoutes {
  readonly operations: readonly Operation[];
  readonly metrics: Metrics;
  readonly metricsEnabled: boolean;
  readonly configSchema: () => unknown;
  readonly version: string;
}

/** What describes Weir to programs: its API, its configuration, its numbers, and the meaning of its faults. */
export function registerDocuments(app: FastifyInstance, options: DocumentRoutes): void {
  const { operations, metrics, metricsEnabled, configSchema, version } = options;
  let openapi: string | undefined; // made once, when first asked for: most processes are never asked

  app.get('/openapi.json', (request, reply) => {
    queryOf(request);
    openapi ??= JSON.stringify(openApiDocument(operations, version));
    return reply.type('application/json; charset=utf-8').send(openapi);
  });

  app.get('/schema/weir.json', (request, reply) => {
    queryOf(request);
    return reply.type('application/schema+json').send(JSON.stringify(configSchema()));
  });

  app.get('/metrics', async (request, reply) => {
    if (!metricsEnabled) throw new Fault('route_unknown', 'metrics are off; OBS_METRICS_ENABLED=true turns them on');
    queryOf(request);
    const { contentType, body } = await metrics.render();
    return reply.type(contentType).send(body);
  });

  app.get(FAULT_PAGE, (request, reply) => {
    queryOf(request);
    return reply.type('text/html; charset=utf-8').send(faultPage());
  });
}

const RETRY_WORDS: Readonly<Record<FaultRow['retry'], string>> = {
  never: 'the same call fails again',
  backoff: 'worth trying again later',
  at: 'worth trying again at the stated time',
};

/** Where the `type` of a problem leads. */
function faultPage(): string {
  // Object.keys widens to string; the table's keys are the codes by definition.
  const codes = Object.keys(FAULTS) as FaultCode[];
  const rows = codes.map((code) => {
    const { http, exit, hint, retry }: FaultRow = FAULTS[code];
    return `<h2 id="${code}">${titleOf(code)}</h2><p><code>${code}</code> · HTTP ${http} · exit code ${exit} · ${RETRY_WORDS[retry]}</p><p>${escapeHtml(hint)}</p>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Faults of Weir</title><h1>Faults of Weir</h1>${rows.join('\n')}</html>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

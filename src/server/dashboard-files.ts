import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '#core/fault.ts';
import { SERVER_LIMITS } from './server-limits.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

const HASHED = /^\/assets\/.+-[\w-]{8,}\.\w+$/; // the builder puts a hash of the content into these names
const NO_BUILD =
  'The dashboard has not been built, so there is nothing to show here. `npm start` builds it; the API is described at /openapi.json.\n';

interface DashboardFile {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One exact route per file, read now: no path of a request ever reaches the file system, so none can leave the folder. Links are
 * not followed. Throws `internal` for a folder beyond the limits.
 */
export function registerDashboard(app: FastifyInstance, folder: URL | undefined): void {
  const files = folder === undefined ? new Map<string, DashboardFile>() : readDashboard(fileURLToPath(folder));
  const index = files.get('/index.html');
  for (const [path, file] of files) app.get(encodeURI(path), (request, reply) => sendFile(file, request, reply));
  app.get('/', (request, reply) => {
    if (index !== undefined) return sendFile(index, request, reply);
    return reply.code(404).type('text/plain; charset=utf-8').send(NO_BUILD);
  });
}

function sendFile({ bytes, headers }: DashboardFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  reply.headers(headers);
  return known.includes(headers['etag'] ?? '') || known.includes('*') ? reply.code(304).send() : reply.send(bytes);
}

function readDashboard(root: string): Map<string, DashboardFile> {
  const files = new Map<string, DashboardFile>();
  let bytesTotal = 0;
  for (const dirent of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!dirent.isFile()) continue;
    const place = join(dirent.parentPath, dirent.name);
    const path = `/${relative(root, place).split(sep).join('/')}`;
    const bytes = readFileSync(place);
    bytesTotal += bytes.length;
    if (files.size >= SERVER_LIMITS.dashboardFilesMax || bytesTotal > SERVER_LIMITS.dashboardBytesMax) {
      throw new Fault(
        'internal',
        `${root} is too large for a dashboard: at most ${SERVER_LIMITS.dashboardFilesMax} files and ${SERVER_LIMITS.dashboardBytesMax} bytes`,
      );
    }
    files.set(path, {
      bytes,
      headers: {
        'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
        'cache-control': HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
        etag: `"${hash('sha256', bytes, 'base64url').slice(0, 22)}"`,
      },
    });
  }
  return files;
}

import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { HttpAnswer } from '#core/http.ts';
import { clientWorld, faultOf, sendJson, startServer, type LocalServer } from './fixtures/http-world.ts';
import { cursorPages, linkPages, offsetPages, PAGINATE_LIMITS } from './http-paginate.ts';

let server: LocalServer;
let handler: RequestListener;

beforeEach(async () => {
  server = await startServer((request, response) => handler(request, response));
});
afterEach(() => server.close());

const pageOf = (url: string | undefined): number =>
  Number(new URL(url ?? '/', 'http://x').searchParams.get('page') ?? 1);
const first = { operation: 'list_items', path: '/items', query: { per_page: 2 } };
const http = () => clientWorld({ baseUrl: server.url }).http;
const all = (pages: AsyncGenerator<HttpAnswer>): Promise<HttpAnswer[]> => Array.fromAsync(pages);

describe('pages by link', () => {
  test('are followed to the last one, relative links included', async () => {
    handler = ({ url }, response) => {
      const page = pageOf(url);
      sendJson(
        response,
        page,
        page < 3 ? { link: `</items?per_page=2&page=${page + 1}>; rel="next", </>; rel=first` } : {},
      );
    };
    expect((await all(linkPages(http(), first))).map((answer) => answer.json())).toEqual([1, 2, 3]);
    expect(server.requests.map(({ url }) => url)).toEqual([
      '/items?per_page=2',
      '/items?per_page=2&page=2',
      '/items?per_page=2&page=3',
    ]);
  });

  test('a next link to another origin is bad_upstream, and nothing is sent there', async () => {
    const other = await startServer((_, response) => sendJson(response, {}));
    for (const target of [
      `${other.url}/items`,
      'https://evil.example/',
      '//evil.example/x',
      'http://[',
      'http://169.254.169.254/',
    ]) {
      handler = (_, response) => sendJson(response, 1, { link: `<${target}>; rel=next` });
      expect((await faultOf(all(linkPages(http(), first)))).code).toBe('bad_upstream');
    }
    expect(other.accepted()).toBe(0);
    await other.close();
  });

  test('links in bodies are held to the same rule', async () => {
    handler = (_, response) => sendJson(response, { next: 'https://evil.example/x' });
    const nextOf = (answer: HttpAnswer): string => answer.json(z.object({ next: z.string() })).next;
    expect((await faultOf(all(linkPages(http(), first, { nextOf })))).code).toBe('bad_upstream');
  });

  test('that go round in a circle are noticed', async () => {
    handler = ({ url }, response) =>
      sendJson(response, 1, { link: `</items?page=${(pageOf(url) % 3) + 1}>; rel=next` });
    const fault = await faultOf(all(linkPages(http(), first)));
    expect([fault.code, fault.message]).toEqual(['bad_upstream', expect.stringContaining('circle')]);
    expect(server.requests.length).toBeLessThanOrEqual(5);
  });

  test('that never end stop at the page limit', async () => {
    handler = ({ url }, response) => sendJson(response, 1, { link: `</items?page=${pageOf(url) + 1}>; rel=next` });
    expect((await faultOf(all(linkPages(http(), first, { pagesMax: 5 })))).code).toBe('bad_upstream');
    expect(server.requests).toHaveLength(5);
  });
});

describe('pages by cursor', () => {
  const pages = (next: (cursor: string | null) => string | null, from?: string) => {
    handler = ({ url }, response) =>
      sendJson(response, { next: next(new URL(url ?? '/', 'http://x').searchParams.get('cursor')) });
    return cursorPages(http(), {
      request: (cursor) => ({ operation: 'list_items', path: '/items', query: { cursor } }),
      nextOf: (answer) => answer.json(z.object({ next: z.string().nullable() })).next ?? undefined,
      ...(from === undefined ? {} : { from }),
    });
  };

  test('are followed to the last one, and resume where they are told', async () => {
    const next = (cursor: string | null): string | null => (cursor === null ? 'b' : cursor === 'b' ? 'c' : null);
    expect(await all(pages(next))).toHaveLength(3);
    expect(await all(pages(next, 'c'))).toHaveLength(1);
  });

  test('a cursor that comes again or is too long is bad_upstream', async () => {
    expect((await faultOf(all(pages(() => 'same')))).message).toContain('circle');
    expect((await faultOf(all(pages(() => 'x'.repeat(PAGINATE_LIMITS.cursorCharsMax + 1))))).code).toBe('bad_upstream');
  });
});

describe('pages by offset', () => {
  const items = z.array(z.number());
  const pages = (ignoreOffset = false) => {
    handler = ({ url }, response) => {
      const offset = Number(new URL(url ?? '/', 'http://x').searchParams.get('offset'));
      sendJson(response, [0, 1, 2, 3, 4].slice(ignoreOffset ? 0 : offset, (ignoreOffset ? 0 : offset) + 2));
    };
    return offsetPages(http(), {
      request: (offset) => ({ operation: 'list_items', path: '/items', query: { offset } }),
      countOf: (answer) => answer.json(items).length,
      pageSize: 2,
    });
  };

  test('end at the first page that is not full', async () => {
    expect((await all(pages())).flatMap((answer) => answer.json(items))).toEqual([0, 1, 2, 3, 4]);
  });

  test('a server that ignores the offset is noticed at its second page', async () => {
    expect((await faultOf(all(pages(true)))).message).toContain('circle');
    expect(server.requests).toHaveLength(2);
  });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATIONS } from '#operations/registry.ts';
import { runWeir, type RunningWeir } from './fixtures/running-weir.ts';

interface Item {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: { readonly properties: object } }> };
  readonly responses: Record<string, unknown>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Item>>;
}

let weir: RunningWeir;
let document: Document;
beforeAll(async () => {
  weir = await runWeir();
  document = (await weir.ask('/openapi.json')).json as Document;
});
afterAll(() => weir.close());

test('the document is OpenAPI 3.1 of this version and names every operation once', () => {
  expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
  for (const { name } of OPERATIONS) expect(ids).toContain(name);
});

test('a member of the path is no member of the body', () => {
  const item = document.paths['/api/v1/connectors/{name}/runs']?.['post'];
  expect(item?.parameters).toMatchObject([{ name: 'name', in: 'path', required: true }]);
  expect(Object.keys(item?.requestBody?.content['application/json']?.schema.properties ?? {})).toEqual([
    'stream',
    'accept_deletes',
  ]);
});

test('a member with a default is not required, one without is', () => {
  const parameters = document.paths['/api/v1/search']?.['get']?.parameters ?? [];
  expect(parameters.map(({ name, in: where, required }) => `${where} ${name}${required ? '' : '?'}`)).toEqual([
    'query words',
    'query connector?',
    'query limit?',
  ]);
});

test('every path of the document is served with the methods it names', async () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    const { headers, status } = await weir.ask(path.replaceAll(/\{\w+\}/g, 'x'), { method: 'TRACE' });
    expect(status, path).toBe(405);
    for (const method of Object.keys(methods)) expect(headers.allow, path).toContain(method.toUpperCase());
  }
});

test('every reference in the document leads to something', () => {
  const text = JSON.stringify(document);
  for (const [, ref = ''] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const target = ref
      .split('/')
      .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], document);
    expect(target, ref).toBeDefined();
  }
  expect(text).not.toContain('$schema');
});

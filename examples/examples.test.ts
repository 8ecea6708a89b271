// Every example is a program that checks itself, and what the documentation shows is cut from these programs.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const EXAMPLE_MS_MAX = 20_000;
const FOLDER = import.meta.dirname;
const PAGE = resolve(FOLDER, '..', 'docs', 'library.md');
const EXAMPLES = readdirSync(FOLDER).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

test.for(EXAMPLES)('%s runs, finds what it promises and prints one line', async (name) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(FOLDER, name)], {
    timeout: EXAMPLE_MS_MAX,
  });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toHaveLength(1);
});

/** `<!-- examples/breaker.ts stats -->` and the block below it. */
const SNIPPET = /<!-- examples\/([\w.-]+) ([\w-]+) -->\n+```ts\n([\s\S]*?)```/g;

describe('docs/library.md', () => {
  const page = readFileSync(PAGE, 'utf8');
  const snippets = [...page.matchAll(SNIPPET)].map(([, file = '', region = '', text = '']) => ({ file, region, text }));

  test.for(snippets)('shows the region $region of $file as it runs', ({ file, region, text }) => {
    expect(text).toBe(regionsOf(file).get(region));
  });

  test('shows every region once, and no code that does not run', () => {
    const shown = snippets.map(({ file, region }) => `${file} ${region}`).sort();
    const written = EXAMPLES.flatMap((file) => [...regionsOf(file).keys()].map((region) => `${file} ${region}`)).sort();
    expect(shown).toEqual(written);
    expect(page.match(/^```ts$/gm) ?? []).toHaveLength(snippets.length);
  });
});

function regionsOf(file: string): Map<string, string> {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  const regions = text.matchAll(/^\/\/ #region ([\w-]+)\n([\s\S]*?)^\/\/ #endregion$/gm);
  return new Map([...regions].map(([, name = '', body = '']) => [name, body]));
}

// Writes the JSON Schema and the reference pages from the code; with --check it only compares.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedPages } from './generate/pages.ts';

const root = dirname(import.meta.dirname);
const check = process.argv.includes('--check');
let stale = 0;

for (const { path, text } of await generatedPages()) {
  const file = join(root, path);
  if (readOrEmpty(file) === text) continue;
  stale += 1;
  if (check) {
    process.stderr.write(`${path} differs from the code: run node scripts/generate-docs.ts\n`);
    continue;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stderr.write(`wrote ${path}\n`);
}
process.exitCode = check && stale > 0 ? 1 : 0;

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // not written yet
  }
}

// Writes schema/weir.schema.json and docs/configuration.md from the configuration schema; with --check it only compares.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from '#config/generated-files.ts';

const root = dirname(import.meta.dirname);
const check = process.argv.includes('--check');
let stale = 0;

for (const { path, text } of generatedFiles()) {
  const file = join(root, path);
  let present: string | undefined;
  try {
    present = readFileSync(file, 'utf8');
  } catch {
    present = undefined; // not written yet
  }
  if (present === text) continue;
  if (check) {
    stale += 1;
    process.stderr.write(`${path} differs from src/config: run node scripts/generate-schema.ts\n`);
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    process.stderr.write(`wrote ${path}\n`);
  }
}
process.exitCode = stale > 0 ? 1 : 0;

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedPages } from '../scripts/generate/pages.ts';

const root = join(import.meta.dirname, '..');

test.each(await generatedPages())(
  '$path says what the code says (else: node scripts/generate-docs.ts)',
  ({ path, text }) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(text);
  },
);

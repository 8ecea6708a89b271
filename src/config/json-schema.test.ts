import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { baseSchema, keysAt, weirJsonSchema, type JsonSchema } from './json-schema.ts';
import { configurationReference } from './reference.ts';

describe('the schema for editors', () => {
  const schema = weirJsonSchema(
    new Map([['git', z.object({ path: z.string().describe('Where'), ref: z.string().default('HEAD') })]]),
  );

  test('is draft-07 in input form: nothing with a default is required', () => {
    expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
    expect(schema.required).toBeUndefined();
    expect(schema.definitions?.['connection']?.required).toBeUndefined();
    expect(schema.definitions?.['metadata-git']).toMatchObject({ required: ['path'], additionalProperties: false });
  });

  test('ties metadata to the type, and to the name when no type is given', () => {
    const { if: condition, then } = schema.definitions?.['connection']?.allOf?.at(-1) ?? {};
    expect(condition).toEqual({ properties: { type: { const: 'git' } }, required: ['type'] });
    expect(then).toEqual({ properties: { metadata: { $ref: '#/definitions/metadata-git' } }, required: ['metadata'] });
    expect(schema.properties?.['connectors']?.properties).toHaveProperty('git.allOf');
  });

  test('describes every key', () => {
    const undescribed = (at: JsonSchema, path: string): string[] =>
      Object.entries(at.properties ?? {}).flatMap(([key, below]) => {
        const name = `${path}.${key}`;
        const deeper = [
          ...undescribed(below, name),
          ...(typeof below.additionalProperties === 'object' ? undescribed(below.additionalProperties, name) : []),
        ];
        return [...(below.description === undefined ? [name] : []), ...deeper];
      });
    expect(undescribed(baseSchema(), '')).toEqual([]);
  });

  test('looks keys up through records and unions', () => {
    expect(keysAt(baseSchema(), ['connectors', 'anything', 'schedule'])).toEqual(['cron', 'timezone']);
    expect(keysAt(baseSchema(), ['server'])).toEqual(['host', 'port']);
    expect(keysAt(baseSchema(), ['constructor'])).toEqual([]);
  });
});

test('the reference page lists the metadata of each connector type it is given', () => {
  const page = configurationReference(new Map([['git', z.object({ path: z.string().describe('Where | what <b>') })]]));
  expect(page).toContain('### metadata of git');
  expect(page).toContain('| `path` | text | required | Where \\| what &lt;b&gt; |');
});

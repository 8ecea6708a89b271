import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Connector } from '#core/connector.ts';
import type { JsonValue } from '#core/json.ts';
import { pullSlice } from './puller.ts';
import { connectionOf, OF, openWorld, pullerOf, scripted, type World } from './fixtures/engine-world.ts';

/** A connector of some version that stores `stores` and reports what it was resumed from. */
function versioned(
  version: string,
  seen: (JsonValue | undefined)[],
  more: Pick<Connector, 'migrateCursor'> & { schema?: z.ZodType<JsonValue>; stores?: JsonValue } = {},
): Connector {
  const { schema = z.custom<JsonValue>(() => true), stores = 'new', ...connector } = more;
  return scripted({
    version,
    async *pull(_, cursor) {
      seen.push(cursor);
      yield { events: [], cursor: stores };
    },
    stream: { cursor: schema },
    ...connector,
  });
}
const run = (world: World, connector: Connector) =>
  pullSlice(pullerOf(world), {
    connection: connectionOf(connector),
    stream: 'docs',
    signal: new AbortController().signal,
  });
const stateOf = ({ store }: World) => store.streams.get(OF);

async function withCursor(cursor: JsonValue): Promise<World> {
  const world = openWorld();
  await run(world, versioned('1.0.0', [], { stores: cursor }));
  return world;
}

describe('a cursor written by the same version', () => {
  test('is handed back unchanged, and nobody migrates it', async () => {
    const world = await withCursor({ at: 1 });
    const seen: (JsonValue | undefined)[] = [];
    await run(world, versioned('1.0.0', seen, { migrateCursor: () => 'migrated' }));
    expect(seen).toEqual([{ at: 1 }]);
  });
});

describe('a cursor written by another version', () => {
  test('is migrated once, and stored with the new version', async () => {
    const world = await withCursor({ at: 1 });
    const seen: (JsonValue | undefined)[] = [];
    const from: string[] = [];
    const next = versioned('2.0.0', seen, {
      migrateCursor: (version, cursor) => {
        from.push(version);
        return { was: cursor };
      },
    });
    await run(world, next);
    await run(world, next);
    expect(from).toEqual(['1.0.0']);
    expect(seen).toEqual([{ was: { at: 1 } }, 'new']);
    expect((await stateOf(world))?.connectorVersion).toBe('2.0.0');
  });

  test('that still fits needs no migration', async () => {
    const world = await withCursor('page 7');
    const seen: (JsonValue | undefined)[] = [];
    await run(world, versioned('2.0.0', seen, { schema: z.string() }));
    expect(seen).toEqual(['page 7']);
  });

  test('that does not fit is refused, nothing is pulled and nothing is touched', async () => {
    const world = await withCursor({ at: 1 });
    const before = await stateOf(world);
    const seen: (JsonValue | undefined)[] = [];
    expect(await run(world, versioned('2.0.0', seen, { schema: z.string() }))).toMatchObject({
      outcome: 'failed',
      code: 'cursor_invalid',
    });
    expect(seen).toEqual([]);
    expect(await stateOf(world)).toEqual(before);
  });

  test('whose migration throws is refused the same way: asking again cannot help', async () => {
    const world = await withCursor({ at: 1 });
    const before = await stateOf(world);
    const seen: (JsonValue | undefined)[] = [];
    const refusing = versioned('2.0.0', seen, {
      migrateCursor: () => {
        throw new Error('cursors of 1.x cannot be carried over');
      },
    });
    expect(await run(world, refusing)).toMatchObject({ outcome: 'failed', code: 'cursor_invalid' });
    expect(seen).toEqual([]);
    expect(await stateOf(world)).toEqual(before);
  });

  test('may be migrated to null, which is a cursor too', async () => {
    const world = await withCursor({ at: 1 });
    const seen: (JsonValue | undefined)[] = [];
    await run(world, versioned('2.0.0', seen, { schema: z.null(), migrateCursor: () => null, stores: null }));
    expect(seen).toEqual([null]);
  });
});

describe('a cursor that a page gives', () => {
  test('and its own schema refuses ends the run before it is stored: no later run could resume from it', async () => {
    const world = await withCursor('good');
    const outcome = await run(world, versioned('1.0.0', [], { schema: z.string(), stores: { not: 'a string' } }));
    expect(outcome.outcome).toBe('failed');
    expect((await stateOf(world))?.cursor).toBe('good');
  });
});

describe('a stream that the connector does not have', () => {
  test('fails the run and names those there are', async () => {
    const world = openWorld();
    const connection = connectionOf(versioned('1.0.0', []));
    const outcome = await pullSlice(pullerOf(world), {
      connection,
      stream: 'issues',
      signal: new AbortController().signal,
    });
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'not_found' });
    expect(outcome.message).toContain('docs');
  });
});

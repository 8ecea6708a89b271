import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sealEvent } from '#core/event.ts';
import type { EventDraft, JsonValue } from '#sdk/index.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { DeliveredDocuments, shown } from './fixtures/delivered-documents.ts';
import { temporaryRepository, type TemporaryRepository } from './fixtures/temporary-repository.ts';

function harnessOf(repository: TemporaryRepository, metadata: Record<string, JsonValue> = {}, batchSize = 50) {
  return connectorHarness(connector, {
    metadata: { path: repository.path, ...metadata },
    allowedPaths: [repository.root],
    batchSize,
  });
}

function only(events: readonly EventDraft[], key: string): EventDraft {
  const found = events.filter((event) => event.key === key);
  expect(found).toHaveLength(1);
  return found[0] as EventDraft; // the line above proves it
}

describe('walks that are cut off', () => {
  it('go on with the same events when they stop after any page', async () => {
    using repository = temporaryRepository();
    for (let at = 0; at < 23; at += 1) repository.write(`d/${at}.md`, `# ${at}\n`);
    repository.commit();
    const steady = harnessOf(repository, {}, 4);
    const first = await steady.pull('docs');
    for (let at = 0; at < 23; at += 3) rmSync(join(repository.path, `d/${at}.md`));
    for (let at = 1; at < 23; at += 3) repository.write(`d/${at}.md`, `# ${at} edited\n`);
    repository.write('d/new.md', 'new');
    repository.commit();
    const second = await steady.pull('docs', first.cursor);

    const crashing = harnessOf(repository, {}, 4);
    const [start, end] = [first.cursor, second.cursor] as [JsonValue, JsonValue];
    crashing.clock.stepWall(steady.clock.now() - crashing.clock.now());
    const events: EventDraft[] = [];
    let cursor: JsonValue = start;
    for (let runs = 0; JSON.stringify(cursor) !== JSON.stringify(end) && runs < 100; runs += 1) {
      const outcome = await crashing.pull('docs', cursor, 1);
      events.push(...outcome.events);
      cursor = outcome.cursor ?? cursor;
      crashing.clock.stepWall(runs % 2 === 0 ? -7_000 : 3_000);
    }
    expect(cursor).toEqual(end);
    expect(idsOf(events)).toEqual(idsOf(second.events));
  });

  it('are finished to the commit they began with before the ref is followed further', async () => {
    using repository = temporaryRepository();
    for (let at = 0; at < 9; at += 1) repository.write(`${at}.md`, `${at}`);
    const began = repository.commit();
    const harness = harnessOf(repository, {}, 2);
    const cut = await harness.pull('docs', undefined, 2);
    repository.write('0.md', 'edited');
    rmSync(join(repository.path, '8.md'));
    const moved = repository.commit();
    const rest = await harness.pull('docs', cut.cursor);
    const targets = rest.events.map((event) => event.context?.['commit']);
    expect(targets).toEqual([...Array<string>(5).fill(began), moved, moved]);
    expect(shown(rest.events)).toEqual(['+4.md', '+5.md', '+6.md', '+7.md', '+8.md', '+0.md', '-8.md']);
    expect(rest.reconcile).toBe(false);
    const version = (key: string, op: string): number =>
      [...cut.events, ...rest.events].filter((event) => event.key === key && event.op === op).at(-1)?.version ?? 0;
    expect(version('8.md', 'delete')).toBeGreaterThan(version('8.md', 'upsert'));
  });

  it('are begun again, and reconciled, when their target was rewritten and collected meanwhile', async () => {
    using repository = temporaryRepository();
    for (let at = 0; at < 6; at += 1) repository.write(`${at}.md`, `${at}`);
    repository.commit();
    const harness = harnessOf(repository, {}, 2);
    const delivered = new DeliveredDocuments();
    const cut = await harness.pull('docs', undefined, 1);
    await delivered.settle(harness, cut);
    rmSync(join(repository.path, '0.md'));
    repository.git('add', '-A');
    repository.git('commit', '-q', '--amend', '-m', 'rewritten');
    repository.git('reflog', 'expire', '--expire=now', '--all');
    repository.git('gc', '-q', '--prune=now');
    const rest = await harness.pull('docs', cut.cursor);
    expect(rest.reconcile).toBe(true);
    await delivered.settle(harness, rest);
    expect(delivered.blobs).toEqual(repository.tree());
  });

  it('never give a lower version when the wall clock steps back', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', '1');
    repository.commit();
    const harness = harnessOf(repository);
    let outcome = await harness.pull('docs');
    let highest = only(outcome.events, 'a.md').version;
    for (let at = 2; at < 6; at += 1) {
      harness.clock.stepWall(-3_600_000);
      repository.write('a.md', String(at));
      repository.commit();
      outcome = await harness.pull('docs', outcome.cursor);
      const { version } = only(outcome.events, 'a.md');
      expect(version).toBeGreaterThan(highest);
      highest = version;
    }
  });
});

function idsOf(events: readonly EventDraft[]): string[] {
  const source = { tenant: 'default', connection: 'git', connector: 'git', stream: 'docs' };
  return events.map((event) => sealEvent(source, event).event.id);
}

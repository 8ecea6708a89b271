import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sealEvent, type EventDraft } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import { parseLog } from '../../src/connectors/git/commit-log.ts';
import { documentOf, refusalOf } from '../../src/connectors/git/document.ts';
import { memoryUsedRatioOf } from '../../src/connectors/host/host-reading.ts';
import logs from '../../src/connectors/logs/connector.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import { INPUTS, SEED } from './inputs.ts';
import { chanceOf, mutate } from './mutate.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LINES = [
  '{"timestamp":"2026-01-01T00:00:00Z","level":"error","message":"it broke","request_id":"1","nested":{"a":[1]}}',
  '2026-01-01 00:00:00,123 ERROR [worker-1] service - it broke request_id=42',
  '<134>1 2026-01-01T00:00:00Z host app 1 ID47 [x@1 a="b"] message',
  'Jan  1 00:00:00 host sshd[1]: Failed password for root',
  '127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 500 12 "-" "curl"',
  'level=warn ts=2026-01-01T00:00:00Z msg="deadlock found" service=db',
  'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nValueError: no',
];
const FILES_OF = 500; // inputs a file

/** What the platform does with what a connector brings. */
function refusedBySeal(events: readonly EventDraft[]): readonly string[] {
  const refused: string[] = [];
  for (const draft of events) {
    try {
      sealEvent({ tenant: 'a', connection: 'x', connector: 'x', stream: 'x' }, draft);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      refused.push(error.message);
    }
  }
  return refused;
}

test('logs: any lines at all are read to the end, and everything the connector makes of them is a valid event', async () => {
  const chance = chanceOf(SEED);
  let events = 0;
  for (let file = 0; file < INPUTS / FILES_OF; file += 1) {
    const directory = join(folder, `logs-${file}`);
    mkdirSync(directory);
    const lines = Array.from({ length: FILES_OF }, () => mutate(Buffer.from(chance.pick(LINES)), chance));
    writeFileSync(join(directory, 'app.log'), Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
    const harness = connectorHarness(logs, {
      metadata: { paths: [join(directory, '*.log')], min_severity: 'low' },
      allowedPaths: [directory],
    });
    let outcome = await harness.pull('lines');
    expect(refusedBySeal(outcome.events)).toEqual([]);
    events += outcome.events.length;
    outcome = await harness.pull('lines', outcome.cursor);
    expect(outcome.events).toEqual([]);
  }
  expect(events).toBeGreaterThan(0);
});

test('git: any bytes of a blob, and any of its path, become a valid document, a stated skip or a failure', () => {
  const chance = chanceOf(SEED);
  const markdown = Buffer.from(
    '# Title\n\n[link](other.md) <b>html</b> `code` ![i](x.png)\n\n```ts\ncode\n```\n[ref]: http://a.b/c\n',
  );
  const html = Buffer.from(
    '<html><head><title>T</title><script>x</script></head><body><a href="x.md">a</a>&amp;&#x1F600;</body></html>',
  );
  const states = new Set<string>();
  for (let input = 0; input < INPUTS; input += 1) {
    const path =
      mutate(Buffer.from(chance.pick(['docs/a.md', 'index.html', 'notes.txt'])), chance).toString('latin1') || 'x'; // git has no empty path
    const content = mutate(chance.pick([markdown, html]), chance);
    const blob = { id: 'a'.repeat(40), mode: '100644' } as never; // the two members that are read
    const refusal = refusalOf(path, blob, { bytes: content.length } as never);
    const outcome =
      refusal ??
      documentOf(
        {
          repository: { gitDir: '/r/.git', workTree: '/r' } as never,
          target: 'f'.repeat(40),
          time: '2026-01-01T00:00:00.000Z',
          version: 1,
        },
        path,
        blob,
        content,
      );
    states.add(outcome.state);
    if (outcome.state === 'document') expect(refusedBySeal([outcome.event]), JSON.stringify(path)).toEqual([]);
  }
  expect(states.has('document')).toBe(true);
});

test('git: any output in the place of a commit log is read or refused as a fault', () => {
  const chance = chanceOf(SEED);
  const log = Buffer.from(
    `${'a'.repeat(40)}\0${'b'.repeat(40)}\x001767225600\0Ada\0a@b.c\x001767225600\0Subject\0Body\n\0M\tfile\0`,
  );
  for (let input = 0; input < INPUTS; input += 1) {
    try {
      parseLog(mutate(log, chance));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
    }
  }
});

test('host: any text in the place of the kernel files gives a share or says that there is none', () => {
  const chance = chanceOf(SEED);
  const valid = {
    meminfo: 'MemTotal: 16 kB\nMemAvailable: 8 kB\n',
    limit: '8192\n',
    current: '4096\n',
    stat: 'inactive_file 1024\n',
  };
  for (let input = 0; input < INPUTS; input += 1) {
    const files = Object.fromEntries(
      Object.entries(valid).map(([name, text]) => [
        name,
        chance.below(8) === 0 ? undefined : mutate(Buffer.from(text), chance).toString('latin1'),
      ]),
    );
    const ratio = memoryUsedRatioOf(files as unknown as Parameters<typeof memoryUsedRatioOf>[0]); // the same members as `valid`
    if (ratio !== undefined) expect(Number.isFinite(ratio), JSON.stringify(files)).toBe(true);
  }
});

import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EventDraft, type JsonValue } from '#sdk/index.ts';
import { connectorHarness, type PullOutcome } from '#testing/connector-harness.ts';
import connector from './connector.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-logs-'));
  path = join(folder, 'app.log');
});
afterEach(() => rm(folder, { recursive: true }));

const harness = (minSeverity = 'low', format = 'auto') =>
  connectorHarness(connector, {
    metadata: { paths: ['*.log'], min_severity: minSeverity, format },
    allowedPaths: [folder],
  });

const pull = (cursor?: JsonValue, minSeverity?: string): Promise<PullOutcome> =>
  harness(minSeverity).pull('lines', cursor);

async function pulled(content: string | Buffer, minSeverity?: string): Promise<PullOutcome> {
  await writeFile(path, content);
  return pull(undefined, minSeverity);
}

interface GroupData {
  readonly template: string;
  readonly count: number;
  readonly first: string;
  readonly last: string;
  readonly samples: readonly { readonly truncated: boolean }[];
}

// The connector's own events: the shape is to-event.ts.
const dataOf = (event: EventDraft): GroupData => event.data as unknown as GroupData;
const countOf = (events: readonly EventDraft[]): number => events.reduce((sum, event) => sum + dataOf(event).count, 0);

/** What a sink holds in the end: of each key the highest version. */
function settled(events: readonly EventDraft[]): EventDraft[] {
  const byKey = new Map<string, EventDraft>();
  for (const event of events) if ((byKey.get(event.key)?.version ?? -1) < event.version) byKey.set(event.key, event);
  return [...byKey.values()];
}

const MIXED = [
  'INFO started',
  '2026-01-01T00:00:00Z ERROR job 17 failed',
  '  at run (a.js:1)',
  'Caused by: disk',
  '{"level":50,"time":1767225601000,"msg":"cannot reach 10.0.0.1"}',
  '',
  'ERROR job',
  'Traceback (most recent call last):',
  '  File "a.py"',
  'ValueError: ü bad',
  '2026-01-01T00:00:02Z ERROR job 18 failed',
  '{"log":"ERROR split ","stream":"stdout","time":"2026-01-01T00:00:03Z"}',
  '{"log":"in two\\n","stream":"stdout","time":"2026-01-01T00:00:03Z"}',
  'WARN timeout after 30 s',
  '',
].join('\n');

describe('restarts', () => {
  it('gives at every byte offset at which a growing file was read the records of one reading', async () => {
    const bytes = Buffer.from(MIXED);
    const whole = await pulled(bytes, 'medium');
    const total = countOf(whole.events);
    expect([total, whole.skipped]).toEqual([6, { below_min_severity: 1 }]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      await writeFile(path, bytes.subarray(0, cut));
      const first = await pull(undefined, 'medium');
      await appendFile(path, bytes.subarray(cut));
      const second = await pull(first.cursor, 'medium');
      const events = settled([...first.events, ...second.events]);
      expect([cut, countOf(events)]).toEqual([cut, total]);
      expect((first.skipped['below_min_severity'] ?? 0) + (second.skipped['below_min_severity'] ?? 0)).toBe(1);
      expect(events.flatMap((event) => (event.text ?? '').split('\n')).toSorted()).toEqual(
        whole.events.flatMap((event) => (event.text ?? '').split('\n')).toSorted(),
      );
      // A reading whose cursor was lost leaves nothing that the next one does not replace.
      const again = await pull(undefined, 'medium');
      expect(countOf(settled([...first.events, ...again.events]))).toBe(total);
    }
  });

  it('gives the same events when it is stopped after every page', async () => {
    const words = ['alpha', 'beta', 'gamma'];
    const lines = Array.from(
      { length: 40_000 },
      (_, n) =>
        `2026-01-01T00:${String(Math.floor(n / 1000)).padStart(2, '0')}:00Z ERROR ${words[n % 3]} ${'x'.repeat(n % 90)} of ${n}\n${n % 7 === 0 ? '  at frame\n' : ''}`,
    );
    const whole = await pulled(lines.join(''));
    expect(whole.pages.length).toBeGreaterThan(3);
    const events: EventDraft[] = [];
    let cursor: JsonValue | undefined;
    for (;;) {
      const outcome = await harness().pull('lines', cursor, 1);
      if (outcome.pages.length === 0) break;
      events.push(...outcome.events);
      cursor = outcome.cursor;
    }
    expect(events).toEqual(whole.events);
    expect(countOf(events)).toBe(40_000);
  });

  it('counts a line that the runtime had cut once, also when its beginning looked like another line', async () => {
    const [cut, rest] = ['{"log":"p","stream":"s","time":""}\n', '{"log":"q\\n","stream":"s","time":""}\n'];
    await writeFile(path, `${cut}ERROR a 1\n${cut}`);
    const first = await pull(undefined, 'low');
    await appendFile(path, rest);
    const second = await pull(first.cursor, 'low');
    await appendFile(path, '{"log":"  at x\\n","stream":"s","time":""}\n');
    const third = await pull(second.cursor, 'low');
    expect(countOf(settled([...first.events, ...second.events, ...third.events]))).toBe(3);
  });

  it('covers every record once however the file grows', async () => {
    const line = fc.constantFrom(
      'ERROR a 1',
      'ERROR b',
      '  at x',
      '{"level":50,"msg":"j"}',
      '',
      'INFO low',
      'Traceback (most recent call last):',
      'E: x',
      'Caused by: y',
      'ERROR c\r',
      '\0\0',
      '{"log":"p","stream":"s","time":""}',
      '{"log":"q\\n","stream":"s","time":""}',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.array(fc.nat(200), { maxLength: 6 }),
        async (lines, cuts) => {
          const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''));
          await rm(path, { force: true });
          await writeFile(path, bytes);
          const whole = await pull(undefined, 'low');
          await writeFile(path, '');
          const events: EventDraft[] = [];
          let cursor: JsonValue | undefined;
          let written = 0;
          for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
            const upTo = Math.max(written, Math.min(cut, bytes.length));
            await appendFile(path, bytes.subarray(written, upTo));
            written = upTo;
            const outcome = await pull(cursor, 'low');
            cursor = outcome.cursor;
            events.push(...outcome.events);
          }
          expect(countOf(settled(events))).toBe(countOf(whole.events));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('hostile files', () => {
  it('cuts a line of 10 MiB, marks it and reads on', async () => {
    const { events } = await pulled(`ERROR ${'x'.repeat(10 * 1024 * 1024)}\nERROR after that one\n`);
    expect(countOf(events)).toBe(2);
    expect(events.flatMap((event) => dataOf(event).samples.map((sample) => sample.truncated))).toEqual([true, false]);
  });

  it('reads a line of 40 MiB in pieces without growing', async () => {
    await writeFile(path, 'ERROR begin ');
    for (let part = 0; part < 40; part += 1) await appendFile(path, 'x'.repeat(1024 * 1024));
    const before = process.memoryUsage.rss();
    const first = await pull();
    await appendFile(path, '\nERROR end of it\n');
    const second = await pull(first.cursor);
    expect([countOf(first.events), countOf(second.events)]).toEqual([1, 1]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(40 * 1024 * 1024);
  });

  it('takes NUL bytes, CRLF and bytes that are no UTF-8 as data, and shows none of them in a title', async () => {
    const { events } = await pulled(
      Buffer.concat([
        Buffer.from('ERROR a\0b\u001b[31m\u202e evil\r\n'),
        Buffer.from([0x45, 0x52, 0x52, 0x20, 0xff, 0x0a]),
      ]),
    );
    expect(countOf(events)).toBe(2);
    for (const event of events) expect(event.title).not.toMatch(/[\0\u001b\u202e\r]/);
    expect(events[0]?.text).toContain('a\0b');
  });

  it('leaves a UTF-16 file out, once, and reads it when it is replaced by a readable one', async () => {
    const utf16 = await pulled(Buffer.from('\ufeffERROR x\n', 'utf16le'));
    expect([utf16.events, utf16.skipped]).toEqual([[], { utf16: 1 }]);
    const again = await pull(utf16.cursor);
    expect(again.pages).toEqual([]);
    await writeFile(path, 'ERROR readable now\n');
    expect(countOf((await pull(again.cursor)).events)).toBe(1);
  });

  it.each([
    ['a', 'a'.repeat(65_536) + '!'],
    ['blanks', `ERROR${' '.repeat(65_536)}!`],
    ['blanks at the front', `${' '.repeat(65_536)}!`],
    ['digits', '1'.repeat(65_536) + '!'],
    ['hex', 'deadbeef'.repeat(8192) + '!'],
    ['colons', 'ERROR a:'.repeat(8192)],
    ['equals', 'a='.repeat(32_768)],
    ['open quotes', 'a="'.repeat(21_845)],
    ['password quotes', '"password":"\\'.repeat(5041)],
    ['tokens', 'token '.repeat(10_922)],
    ['jwt', 'eyJaaaaa-'.repeat(7281)],
    ['slashes', '://'.repeat(21_845)],
    ['dots', '1.'.repeat(32_768)],
    ['secret names', 'x.secret-'.repeat(7281)],
    ['brackets', '<1>1 [a b="'.repeat(5957)],
    ['braces', `{${'{"a":'.repeat(13_106)}}`],
    ['cookies', 'cookie:'.repeat(9362)],
    ['keys', '-----BEGIN '.repeat(5957)],
  ])('takes a line of 64 KiB of %s in little time', async (_, line) => {
    const lines = `ERROR ${'x '.repeat(32_768)}\n`;
    await pulled(lines.repeat(20)); // warm
    const benign = process.hrtime.bigint();
    await pulled(lines.repeat(20));
    const between = process.hrtime.bigint();
    await pulled(`${line}\nERROR ${line}\n`.repeat(10));
    const hostile = process.hrtime.bigint() - between;
    const limit = 20 * Number(between - benign) + 200e6; // a line that backtracks takes seconds
    expect(Number(hostile)).toBeLessThan(limit);
  });

  it('bounds the events of lines that have nothing in common', async () => {
    const word = (n: number): string =>
      n.toString(26).replaceAll(/\d/g, (digit) => String.fromCharCode(113 + Number(digit)));
    const lines = Array.from(
      { length: 20_000 },
      (_, n) => `ERROR ${Array.from({ length: 1 + (n % 40) }, (__, at) => word(n * 7919 + at * 104_729)).join(' ')}\n`,
    );
    const { events, pages } = await pulled(lines.join(''));
    expect(countOf(events)).toBe(20_000);
    for (const page of pages) expect(page.events.length).toBeLessThan(140);
  });
});

describe('templates', () => {
  it('are bounded too where lines begin alike', async () => {
    const word = (n: number): string => Array.from(n.toString(5), (digit) => 'vwxyz'[Number(digit)]).join('');
    const words = (n: number): string => Array.from({ length: 6 }, (_, at) => word(n * 6 + at)).join(' ');
    const lines = Array.from({ length: 3000 }, (_, n) => `ERROR same start ${words(n)}\n`);
    const { events, pages } = await pulled(lines.join(''));
    expect([countOf(events), pages.length]).toEqual([3000, 1]);
    expect(events.length).toBeLessThan(140);
  });
});

describe('events', () => {
  it('are not sent again when only the last of them goes on', async () => {
    const first = await pulled('ERROR one\nWARN another message\nERROR disk of the host is full\n');
    expect(first.events).toHaveLength(3);
    await appendFile(path, '  at late\n');
    const second = await pull(first.cursor);
    expect(second.events.map((event) => event.key)).toEqual([first.events[2]?.key]);
  });

  it('makes few events of a flood of one template, with its count', async () => {
    const lines = Array.from({ length: 100_000 }, (_, n) =>
      JSON.stringify({
        level: 50,
        time: 1767225600000 + n,
        reqId: `r-${n}`,
        msg: `query ${n} to 10.0.${n % 256}.1 failed after ${n % 999}ms`,
      }),
    );
    const { events, skipped } = await pulled(`${lines.join('\n')}\n`, 'medium');
    expect(countOf(events)).toBe(100_000);
    expect(events.length).toBeLessThan(20);
    expect(skipped).toEqual({});
    for (const event of events) {
      expect(dataOf(event)).toMatchObject({ template: 'query <n> to <ip> failed after <n>ms' });
      expect(dataOf(event).samples).toHaveLength(5);
    }
  });

  it('says what happened, when, where, and what it is part of, without secrets', async () => {
    const line = {
      level: 60,
      time: '2026-01-01T00:00:05Z',
      msg: 'login failed: password=hunter2canary',
      service: 'api',
      request_id: 'r1',
      err: { stack: 'Error: x\n  at y' },
      cookie: 'hunter2canary',
    };
    const { events } = await pulled(
      `${JSON.stringify(line)}\n${JSON.stringify({ ...line, time: '2026-01-01T00:00:01Z' })}\n`,
    );
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      kind: 'signal',
      severity: 'critical',
      time: '2026-01-01T00:00:05.000Z',
      title: 'login failed: password=[redacted]',
      context: { service: 'api', request_id: 'r1' },
      tags: ['critical', 'error', 'failed'],
      data: {
        count: 2,
        level: 'critical',
        path,
        offset: 0,
        first: '2026-01-01T00:00:01.000Z',
        last: '2026-01-01T00:00:05.000Z',
      },
    });
    expect(JSON.stringify(events)).not.toContain('hunter2canary');
  });

  it('begins a new event when a template is seen again much later', async () => {
    const { events } = await pulled(
      ['00:00', '00:04', '00:06', '09:00'].map((time) => `2026-01-01T${time}:00Z ERROR disk full\n`).join(''),
    );
    expect(events.map((event) => [dataOf(event).first.slice(11, 16), dataOf(event).count])).toEqual([
      ['00:00', 2],
      ['00:06', 1],
      ['09:00', 1],
    ]);
  });

  it('replaces an event whose stack trace was still being written', async () => {
    const first = await pulled('ERROR boom\n');
    await appendFile(path, '  at late\nERROR other thing altogether\n');
    const second = await pull(first.cursor);
    const [trace, other] = second.events;
    expect(trace).toMatchObject({ key: first.events[0]?.key, text: 'ERROR boom\n  at late' });
    expect(trace?.version).toBeGreaterThan(first.events[0]?.version ?? Infinity);
    expect([countOf(second.events), other?.title]).toEqual([2, 'other thing altogether']);
    expect((await pull(second.cursor)).pages).toEqual([]);
  });

  it('counts what is below the wanted severity, and unknown levels apart', async () => {
    const { events, skipped } = await pulled('INFO a\nDEBUG b\nWARN c\n{"level":"purple","msg":"d"}\n', 'high');
    expect([events, skipped]).toEqual([[], { below_min_severity: 3, unknown_level: 1 }]);
  });
});

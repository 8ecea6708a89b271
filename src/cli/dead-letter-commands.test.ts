import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { recordingHost, type RecordingOptions } from './fixtures/recording-host.ts';
import { answersWith } from './fixtures/sample-answers.ts';
import { runCli } from './program.ts';

const ANSWERS = answersWith('wiki');

async function weir(args: readonly string[], options: RecordingOptions = {}) {
  const recording = recordingHost({ answers: ANSWERS, columns: 200, ...options });
  const exit = await runCli(recording.host, args);
  return { exit, out: recording.out(), err: recording.err(), recording };
}
const inputsOf = ({ recording }: Awaited<ReturnType<typeof weir>>) => recording.calls.map(({ input }) => input);
const noGroups = { ...ANSWERS, 'dlq.groups': { schemaVersion: 1, total: 0, groups: [] } };
const replayed = (change: Readonly<Record<string, unknown>>) => ({
  ...ANSWERS,
  'dlq.replay': { ...(ANSWERS['dlq.replay'] as object), ...change },
});

describe('dlq list', () => {
  test('shows the causes, then the newest letters, and that there are more', async () => {
    const { out, err } = await weir(['dlq', 'list']);
    expect(out).toMatch(/^Letters +Queued +Sink +Connector +Reason +Last +Newest +Message$/m);
    expect(out).toMatch(/^ +3 +1 +wiki +wiki\/wiki +sink_rejected \(sink\)/m);
    expect(out).toMatch(/^Letter +Last +Sink +Connector +Reason +Tries +State +Key$/m);
    expect(out).toMatch(/queued, edited +wiki$/m);
    expect(err).toBe('1 of 3 letters shown; --before 5 shows older ones.\n');
  });

  test('asks both with the same filter, and the letters with their limit', async () => {
    const filter = { connector: 'a', sink: 'b', code: 'sink_rejected', class: 'sink', key: 'k', state: 'dead' };
    const flags = Object.entries(filter).flatMap(([name, value]) => [`--${name}`, value]);
    expect(inputsOf(await weir(['dlq', 'list', ...flags, '--limit', '3']))).toEqual([filter, { ...filter, limit: 3 }]);
  });

  test('with --json is the letters, with --group --json the causes', async () => {
    expect(JSON.parse((await weir(['dlq', 'list', '--json'])).out)).toHaveProperty('items.0.id', 7);
    expect(JSON.parse((await weir(['dlq', 'list', '--group', '--json'])).out)).toHaveProperty('groups.0.sample_id', 7);
  });

  test('says so when there are none, and otherwise when a filter found none', async () => {
    const none = await weir(['dlq', 'list'], { answers: noGroups });
    expect(none).toMatchObject({ exit: 0, out: expect.stringMatching(/^No dead letters: /) });
    const unmatched = await weir(['dlq', 'list', '--sink', 'crm'], { answers: noGroups });
    expect(unmatched).toMatchObject({ exit: 0, out: expect.stringMatching(/^No dead letter matches; /) });
  });
});

describe('dlq show', () => {
  test('has the reason, what to do, every try, the contents and what is sent instead', async () => {
    const { out } = await weir(['dlq', 'show', '7']);
    expect(out).toContain('Reason: wiki [sink_rejected, sink]\nMeaning: wiki\nNext step: wiki\n');
    expect(out).toContain('Tries: 5, first 2026-01-01T00:00:00.000Z');
    expect(out).toContain('  - 2026-01-01T00:00:00.000Z: wiki [sink_rejected]\n');
    expect(out).toContain('Contents (20 bytes):\n{\n  "title": "wiki"\n}\n');
    expect(out).toContain('A replay sends instead:\n');
  });

  test('cuts long contents on a terminal and says so, and in a pipe does not', async () => {
    const answers = { ...ANSWERS, 'dlq.show': { ...(ANSWERS['dlq.show'] as object), payload: 'x'.repeat(20_000) } };
    const shown = await weir(['dlq', 'show', '7'], { answers, outIsTerminal: true });
    expect(shown.out).not.toContain('x'.repeat(8001));
    expect(shown.err).toContain('--json shows all');
    expect((await weir(['dlq', 'show', '7'], { answers })).out).toContain('x'.repeat(20_000));
  });
});

describe('dlq replay', () => {
  test('of letters by number asks nobody; what cannot be replayed makes it end with 1', async () => {
    const some = await weir(['dlq', 'replay', '7', '8']);
    expect(inputsOf(some)).toEqual([{ ids: [7, 8] }]);
    expect(some).toMatchObject({
      exit: 1,
      out: 'Queued 1 dead letter of 3; 1 queued already; 1 cannot be replayed.\nwiki\n',
    });
    const all = await weir(['dlq', 'replay', '7'], { answers: replayed({ not_replayable: 0, hint: null }) });
    expect(all).toMatchObject({ exit: 0, err: expect.stringContaining('weir start') });
  });

  test('says nothing about a start when a running Weir was asked', async () => {
    expect((await weir(['dlq', 'replay', '7'], { kind: 'instance' })).err).toBe('');
  });

  test.each([
    [['--all'], { all: true }],
    [['--sink', 'crm'], { sink: 'crm' }],
  ])('%j on a terminal counts first and goes on when the count is typed', async (flags, input) => {
    const done = await weir(['dlq', 'replay', ...flags], { answers: replayed({ queued: 12 }), typed: ['12'] });
    expect(inputsOf(done)).toEqual([{ ...input, dry_run: true }, input]);
    expect(done.recording.asked[0]).toContain('12 dead letters');
    const not = await weir(['dlq', 'replay', ...flags], { answers: replayed({ queued: 12 }), typed: ['y'] });
    expect(not).toMatchObject({ exit: 3, err: expect.stringContaining('nothing was changed') });
    expect(inputsOf(not)).toEqual([{ ...input, dry_run: true }]);
  });

  test('--dry-run only counts, shows the causes and looks only', async () => {
    const { recording, out, exit } = await weir(['dlq', 'replay', '--all', '--dry-run'], {
      answers: replayed({ dry_run: true }),
    });
    expect(recording.calls).toMatchObject([{ input: { all: true, dry_run: true } }]);
    expect(recording.opened).toMatchObject([{ needs: 'read' }]);
    expect(out).toMatch(/^Letters +Sink +Connector +Reason\n +3 +wiki/);
    expect(out).toContain('Would queue 1 dead letter of 3');
    expect(exit).toBe(0);
  });
});

describe('without a terminal', () => {
  test.each([
    [['dlq', 'replay', '--all']],
    [['dlq', 'replay', '--code', 'sink_rejected']],
    [['dlq', 'discard', '7']],
    [['sink', 'reread', 'crm', '--from', 'oldest']],
    [['sink', 'remove', 'crm']],
  ])('%j ends with 3, names --yes and opens nothing', async (args) => {
    const { exit, err, out, recording } = await weir(args);
    expect({ exit, out, opened: recording.opened }).toEqual({ exit: 3, out: '', opened: [] });
    expect(err).toContain('--yes');
    expect((await weir([...args, '--yes'])).recording.calls).toHaveLength(1);
  });
});

describe('dlq discard', () => {
  test('asks for the count, and a letter by number too', async () => {
    const { exit, recording } = await weir(['dlq', 'discard', '7'], { typed: ['3'] });
    expect(exit).toBe(0);
    expect(recording.calls.map(({ input }) => input)).toEqual([{ ids: [7], dry_run: true }, { ids: [7] }]);
    expect((await weir(['dlq', 'discard', '7'], { typed: [''] })).exit).toBe(3);
  });
});

test.each([
  [['dlq', 'replay']],
  [['dlq', 'discard', '--yes']],
  [['dlq', 'replay', 'seven']],
  [['dlq', 'show', '0']],
  [['dlq', 'show', '-1']],
  [['dlq', 'show']],
  [['dlq', 'edit', '7']],
  [['dlq', 'edit', '7', '--file', 'f', '--reset']],
  [['sink', 'add', 'crm']],
  [['sink', 'reread', 'crm']],
])('%j is refused with 3 and opens nothing', async (args) => {
  const { exit, recording } = await weir(args);
  expect({ exit, opened: recording.opened }).toEqual({ exit: 3, opened: [] });
});

describe('dlq edit', () => {
  test('sends the event of a file or of standard input', async () => {
    const files = { 'a.json': '{"title":"from a file"}', '-': '{"title":"from a pipe"}' };
    expect(inputsOf(await weir(['dlq', 'edit', '7', '--file', 'a.json'], { files }))).toEqual([
      { id: 7, payload: { title: 'from a file' } },
    ]);
    const { exit, out, recording } = await weir(['dlq', 'edit', '7', '--file', '-'], { files });
    expect(recording.calls).toMatchObject([{ input: { payload: { title: 'from a pipe' } } }]);
    expect({ exit, out }).toMatchObject({ exit: 0, out: expect.stringContaining('weir dlq replay 7') });
  });

  test('of what is no JSON is refused without repeating it', async () => {
    const { exit, err, recording } = await weir(['dlq', 'edit', '7', '--file', '-'], { files: { '-': 'hunter2{' } });
    expect({ exit, opened: recording.opened }).toEqual({ exit: 3, opened: [] });
    expect(err).toContain('standard input is not valid JSON');
    expect(err).not.toContain('hunter2');
  });
});

describe('dlq export', () => {
  const item = (ANSWERS['dlq.export'] as { items: readonly object[] }).items[0];
  const twoPages = () => {
    const pages = [
      {
        schemaVersion: 1,
        items: [
          { ...item, id: 9 },
          { ...item, id: 8 },
        ],
        next_before: 8,
      },
      { schemaVersion: 1, items: [{ ...item, id: 3 }], next_before: null },
    ];
    return {
      ...ANSWERS,
      get 'dlq.export'() {
        return pages.shift() ?? new Fault('internal', 'asked once too often');
      },
    };
  };
  const idsOf = (text: string | undefined) =>
    (text ?? '')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: number }).id);

  test('writes one object a line, every page, and nothing else to stdout', async () => {
    const { exit, out, recording } = await weir(['dlq', 'export', '--sink', 'crm'], { answers: twoPages() });
    expect(exit).toBe(0);
    expect(idsOf(out)).toEqual([9, 8, 3]);
    expect(recording.calls.map(({ input }) => input)).toEqual([{ sink: 'crm' }, { sink: 'crm', before: 8 }]);
  });

  test('--output writes a file, says how many, and never over another one without --force', async () => {
    const { out, recording } = await weir(['dlq', 'export', '--output', 'l.ndjson'], { answers: twoPages() });
    expect(idsOf(recording.files.get('l.ndjson'))).toEqual([9, 8, 3]);
    expect(out).toBe('Wrote 3 dead letters to l.ndjson.\n');
    const files = { 'l.ndjson': 'precious' };
    const refused = await weir(['dlq', 'export', '--output', 'l.ndjson'], { answers: twoPages(), files });
    expect(refused).toMatchObject({ exit: 3, err: expect.stringContaining('--force') });
    expect(refused.recording.files.get('l.ndjson')).toBe('precious');
    const forced = await weir(['dlq', 'export', '--output', 'l.ndjson', '--force', '--json'], {
      answers: twoPages(),
      files,
    });
    expect(JSON.parse(forced.out)).toEqual({ schemaVersion: 1, file: 'l.ndjson', letters: 3 });
  });

  test('that fails half way leaves no file that looks whole', async () => {
    const [first] = [twoPages()['dlq.export']];
    const pages = [first, new Fault('storage_broken', 'the disk')];
    const answers = {
      get 'dlq.export'() {
        return pages.shift();
      },
    };
    const { exit, recording } = await weir(['dlq', 'export', '--output', 'l.ndjson'], { answers });
    expect({ exit, file: recording.files.get('l.ndjson') }).toEqual({ exit: 3, file: undefined });
  });

  test('tells how far it is on a terminal only', async () => {
    const on = { typed: [], errIsTerminal: true };
    expect((await weir(['dlq', 'export'], { answers: twoPages(), ...on })).err).toContain('2 dead letters');
    expect((await weir(['dlq', 'export'], { answers: twoPages() })).err).toBe('');
  });
});

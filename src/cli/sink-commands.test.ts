import { describe, expect, test } from 'vitest';
import { recordingHost, type RecordingOptions } from './fixtures/recording-host.ts';
import { answersWith } from './fixtures/sample-answers.ts';
import { runCli } from './program.ts';

const ANSWERS = answersWith('crm');

async function weir(args: readonly string[], options: RecordingOptions = {}) {
  const recording = recordingHost({ answers: ANSWERS, columns: 200, ...options });
  const exit = await runCli(recording.host, args);
  return { exit, out: recording.out(), err: recording.err(), recording };
}

test('sink list shows what holds a sink up, which events are suspected, and what a detached one costs', async () => {
  const { exit, out } = await weir(['sink', 'list']);
  expect(exit).toBe(1); // one of them waits
  expect(out).toMatch(/^Sink +Type +State +Since +Lag +Oldest \(s\) +Dead letters$/m);
  expect(out).toMatch(/^crm +crm +waiting +2026-01-01T00:00:00.000Z +4 +2\.5 +1$/m);
  expect(out).toContain('crm: crm (crm) [sink_unavailable]\n');
  expect(out).not.toContain('fails while others do not'); // while a sink is out, no event is to blame
  expect(out).toContain('weir sink remove crm gives it up');
});

test('sink resume says what it was, and lets everything through only when it is told so', async () => {
  const plain = await weir(['sink', 'resume', 'crm']);
  expect(plain).toMatchObject({ exit: 0, out: 'crm: delivering, was refusing\n' });
  expect(plain.recording.calls).toEqual([{ operation: 'sinks.resume', input: { name: 'crm' } }]);
  const accepting = await weir(['sink', 'resume', 'crm', '--accept-rejects']);
  expect(accepting.recording.calls).toMatchObject([{ input: { name: 'crm', accept_rejects: true } }]);
});

describe.each([
  ['reread', ['--from', '2h'], { from: '2h' }, 'it would read 12 events and pass over 2 unread ones.'],
  ['remove', [], {}, 'It has not read 4 events and would never get them.'],
])('sink %s', (verb, flags, input, question) => {
  test('on a terminal says what it would do and goes on only when the name is typed', async () => {
    const done = await weir(['sink', verb, 'crm', ...flags], { typed: ['crm'] });
    expect(done.exit).toBe(0);
    expect(done.recording.calls.map((call) => call.input)).toEqual([
      { name: 'crm', ...input, dry_run: true },
      { name: 'crm', ...input },
    ]);
    expect(done.recording.asked).toEqual([`${question} Type crm to go on: `]);
    const not = await weir(['sink', verb, 'crm', ...flags], { typed: ['yes'] });
    expect(not).toMatchObject({ exit: 3 });
    expect(not.recording.calls).toHaveLength(1);
  });

  test('--dry-run asks nobody and only counts', async () => {
    const { exit, recording } = await weir(['sink', verb, 'crm', ...flags, '--dry-run']);
    expect({ exit, needs: recording.opened[0]?.needs }).toEqual({ exit: 0, needs: 'read' });
    expect(recording.calls).toMatchObject([{ input: { dry_run: true } }]);
  });
});

describe('sink add', () => {
  const line = ['sink', 'add', 'crm', '--type', 'http', '--set', 'url=https://crm.example.com/a=b'];

  test('hands over what was said, the secret as a reference, and says that a restart takes it up', async () => {
    const more = [
      '--set',
      'timeout_seconds=10',
      '--set',
      'account=007',
      '--secret-env',
      'CRM_SECRET',
      '--from',
      'newest',
    ];
    const filters = ['--tenant', 'a', '--tenant', 'b', '--connector', 'git', '--kind', 'document'];
    const { exit, out, err, recording } = await weir([...line, ...more, ...filters]);
    expect(recording.added).toEqual([
      {
        name: 'crm',
        entry: {
          type: 'http',
          from: 'newest',
          tenants: ['a', 'b'],
          connectors: ['git'],
          kinds: ['document'],
          settings: {
            url: 'https://crm.example.com/a=b',
            timeout_seconds: 10,
            account: '007',
            secret: '${CRM_SECRET}',
          },
        },
      },
    ]);
    expect({ exit, opened: recording.opened }).toEqual({ exit: 0, opened: [] });
    expect(out).toMatch(/^Added to \/somewhere\/weir\.yaml:\n\ncrm:\n {2}type: http\n\nA restart/);
    expect(err).toContain('there is no such tenant');
    expect(JSON.parse((await weir([...line, '--json'])).out)).toMatchObject({ schemaVersion: 1, name: 'crm' });
  });

  test.each([
    [['--set', 'secret=hunter2hunter2']],
    [['--set', 'api_key=hunter2hunter2']],
    [['--secret-env', 'hunter2-hunter2']],
    [['--set', 'url']],
    [['--set', '=x']],
  ])('%j is refused: nothing is written, and no value is repeated', async (flags) => {
    const { exit, err, recording } = await weir([...line, ...flags]);
    expect({ exit, added: recording.added }).toEqual({ exit: 3, added: [] });
    expect(err).not.toContain('hunter2');
  });

  test('takes a secret setting that is a reference', async () => {
    const { recording } = await weir([...line, '--set', 'secret=${file:/run/secrets/crm}']);
    expect(recording.added).toMatchObject([{ entry: { settings: { secret: '${file:/run/secrets/crm}' } } }]);
  });
});

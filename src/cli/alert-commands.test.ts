import { expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { recordingHost, type RecordingOptions } from './fixtures/recording-host.ts';
import { answersWith } from './fixtures/sample-answers.ts';
import { runCli } from './program.ts';

async function weir(args: readonly string[], options: RecordingOptions = {}) {
  const recording = recordingHost({ answers: answersWith('wiki'), columns: 200, ...options });
  const exit = await runCli(recording.host, args);
  return { exit, out: recording.out(), err: recording.err(), recording };
}
const quiet = { 'alerts.list': { schemaVersion: 1, firing: 0, alerts: [], rules: [], silences: [] } };

test('alerts list ends with 1 while something fires, as a table and as JSON, and with 0 when nothing does', async () => {
  expect((await weir(['alerts', 'list'])).exit).toBe(1);
  expect((await weir(['alerts', 'list', '--json'])).exit).toBe(1);
  expect((await weir(['alerts', 'list'], { answers: quiet })).exit).toBe(0);
  expect((await weir(['alerts', 'list', '--json'], { answers: quiet })).exit).toBe(0);
});

test('alerts list says what fires, what is silenced and which rule is not judged', async () => {
  const { out } = await weir(['alerts', 'list']);
  expect(out).toMatch(/^Alert +State +Severity +Since +What +What to do$/m);
  expect(out).toMatch(/^circuit_open +firing, silenced +critical, page .*docs\/operating\.md#circuit-open$/m);
  expect(out).toContain('Silenced until 2026-01-01T00:00:00.000Z: every rule of wiki (wiki)');
  expect(out).toContain('Not judged: webhook_failures (no webhook deliveries)');
});

test('alerts silence sends its reason and what it is limited to, and an hour when nothing else is said', async () => {
  const first = await weir(['alerts', 'silence', 'being moved']);
  expect(first).toMatchObject({ exit: 0, out: expect.stringContaining('Nobody is told') });
  expect(first.recording.calls).toEqual([
    { operation: 'alerts.silence', input: { reason: 'being moved', minutes: 60 } },
  ]);
  const line = ['alerts', 'silence', 'x', '--rule', 'error_rate', '--connector', 'git', '--minutes', '5'];
  expect((await weir(line)).recording.calls).toMatchObject([
    { input: { reason: 'x', rule: 'error_rate', connector: 'git', minutes: 5 } },
  ]);
});

test('reset closes a circuit and says what it was', async () => {
  const { exit, out, recording } = await weir(['reset', 'wiki', 'circuit']);
  expect({ exit, out }).toEqual({ exit: 0, out: 'wiki: circuit closed, was half-open\n' });
  expect(recording.calls).toEqual([{ operation: 'connectors.reset_circuit', input: { name: 'wiki' } }]);
  expect(recording.opened[0]?.needs).toBe('read');
});

test.each([
  [['reset', 'wiki', 'cursor']],
  [['reset', 'wiki']],
  [['alerts', 'silence']],
  [['alerts', 'silence', 'x', '--minutes', '0']],
])('%j is a usage error that opens nothing', async (args) => {
  const { exit, recording } = await weir(args);
  expect({ exit, opened: recording.opened }).toEqual({ exit: 3, opened: [] });
});

test.each(
  [
    ['reset', 'wiki', 'circuit'],
    ['alerts', 'list'],
    ['alerts', 'silence', 'x'],
  ].map((args) => [args]),
)('%j without a running Weir ends with 3 and says to start one', async (args) => {
  const missing = new Fault('instance_missing', 'no Weir runs on this data directory');
  const answers = { 'connectors.reset_circuit': missing, 'alerts.list': missing, 'alerts.silence': missing };
  const { exit, err } = await weir(args, { answers });
  expect({ exit, err }).toMatchObject({ exit: 3, err: expect.stringContaining('weir start') });
});

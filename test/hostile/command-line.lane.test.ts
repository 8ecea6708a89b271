import { expect, test } from 'vitest';
import { recordingHost } from '../../src/cli/fixtures/recording-host.ts';
import { answersWith, COMMAND_LINES } from '../../src/cli/fixtures/sample-answers.ts';
import { runCli } from '#cli/program.ts';
import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { INPUTS, SEED } from './inputs.ts';
import { chanceOf, mutate, type Chance } from './mutate.ts';

const WORDS = [
  ...new Set(COMMAND_LINES.flat()),
  '--json',
  '--config',
  '--data',
  '--limit',
  '-n',
  '--since',
  '--all',
  '--yes',
  '--dry-run',
  '--',
  '-',
  '--help',
  '--version',
  '-h',
  'help',
  '--no-color',
  '--=',
  '-x',
];
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

function lineFrom(chance: Chance): readonly string[] {
  const line = chance.below(3) === 0 ? [] : [...chance.pick(COMMAND_LINES)];
  for (let change = chance.below(5); change >= 0; change -= 1) {
    const word =
      [
        chance.pick(WORDS),
        chance.pick(HOSTILE_TEXTS),
        mutate(Buffer.from(chance.pick(WORDS)), chance).toString('utf8'),
      ][chance.below(3)] ?? '';
    line.splice(chance.below(line.length + 1), chance.below(2), word);
  }
  return line.map((word) => word.replaceAll('\0', '')); // the operating system hands over no NUL
}

test('any words end with an exit code of the table and print nothing that a terminal would obey', async () => {
  const chance = chanceOf(SEED);
  const codes = new Map<number, number>();
  for (let input = 0; input < INPUTS; input += 1) {
    const recording = recordingHost({ answers: answersWith('text'), change: { signal: AbortSignal.abort() } });
    const line = lineFrom(chance);
    const exit = await runCli(recording.host, line);
    codes.set(exit, (codes.get(exit) ?? 0) + 1);
    expect(recording.open(), JSON.stringify(line)).toBe(0);
    expect(recording.screen(), JSON.stringify(line)).not.toMatch(UNSAFE);
    expect([0, 1, 2, 3], JSON.stringify(line)).toContain(exit);
    if (exit === 3) expect(recording.screen(), JSON.stringify(line)).not.toContain('internal');
  }
  expect([...codes.values()].reduce((sum, count) => sum + count, 0)).toBe(INPUTS);
  expect(codes.get(3)).toBeGreaterThan(INPUTS / 4);
});

import { describe, expect, it } from 'vitest';
import { Fault } from '#core/fault.ts';
import { parseForecastPlan } from './forecast-plan.ts';

const parse = (text: string) =>
  parseForecastPlan({ text, file: 'plan.yaml', connectors: ['github', 'wiki'], sinks: ['timeline', 'library', 'crm'] });

function problemsOf(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof Fault && error.code === 'config_invalid')
      return error.problems.map(
        ({ line, column, path, problem, hint }) => `${line}:${column} ${path}: ${problem} (${hint})`,
      );
    throw error;
  }
  throw new Error('the plan was taken');
}

describe('a plan of troubles', () => {
  it('reads times as milliseconds and fills in what is not said', () => {
    const plan = parse(`
rates: { github: 120 }
faults:
  - { connector: github, answer: 502, from: 1h, for: 40m }
  - { sink: crm, answer: down, from: 90s, for: 2d, share: 0.5 }
`);
    expect(plan).toEqual({
      rates: { github: 120 },
      faults: [
        { connector: 'github', answer: 502, from: 3_600_000, for: 2_400_000, share: 1 },
        { sink: 'crm', answer: 'down', from: 90_000, for: 172_800_000, share: 0.5 },
      ],
    });
  });

  it('names every problem with its line, and the nearest name there is', () => {
    const problems = problemsOf(`rates: { gihub: 1 }
faults:
  - connector: wikki
    answer: 502
    from: 0s
    for: 1m
  - sink: crmm
    answer: down
    from: 0s
    for: 1m
`);
    expect(problems).toEqual([
      '1:10 rates.gihub: weir.yaml has no connector called gihub (did you mean github?)',
      '3:16 faults[0].connector: weir.yaml has no connector called wikki (did you mean wiki?)',
      '7:11 faults[1].sink: weir.yaml has no sink called crmm (did you mean crm?)',
    ]);
  });

  it('says what a fault of a sink may answer, and nothing of connectors', () => {
    expect(problemsOf('faults: [{ sink: crm, answer: 500, from: 0s, for: 1m }]').join()).toMatch(
      /faults\[0\]\.answer: must be one of down, slow, reject, lost_answer/,
    );
    expect(problemsOf('faults: [{ sink: crm, answer: 500, from: 0s, for: 1m }]')).toHaveLength(1);
  });

  it.each([
    ['a missing list of faults', 'rates: {}', /faults/],
    ['a time without a unit', 'faults: [{ connector: wiki, answer: 502, from: 5, for: 1m }]', /faults\[0\]/],
    ['a status that is no failure', 'faults: [{ connector: wiki, answer: 200, from: 5m, for: 1m }]', /faults\[0\]/],
    ['an unknown key', 'faults: []\nfault: 1', /fault/],
    ['no YAML', 'faults: [', /YAML/],
  ])('refuses %s', (_, text, words) => {
    expect(problemsOf(text).join('\n')).toMatch(words);
  });
});

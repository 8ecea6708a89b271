// What is wrong in a configuration, as data: every problem at once, each with its place and what to write instead.
import type { FaultProblem } from '#core/fault.ts';
import { toPlainLine } from '#core/plain-text.ts';

/** `file`, `line` and `column` (both from 1) are absent when the value came from a variable or a flag: `origin` names it. */
export interface ConfigProblem extends FaultProblem {
  readonly hint: string;
  /** `environment RETRY_BASE_MS` or `flag --port`. */
  readonly origin?: string;
}

const TEXT_CHARS_MAX = 500; // per column: a hostile key must not fill the terminal

/** One line per problem: `file:line:column  path  problem  hint`. Safe to print: control characters are neutralised. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map((each) =>
      [placeOf(each), each.path, each.problem, each.hint]
        .filter((part) => part !== '')
        .map((part) => toPlainLine(part, TEXT_CHARS_MAX))
        .join('  '),
    )
    .join('\n');
}

function placeOf(problem: ConfigProblem): string {
  if (problem.file === undefined) return problem.origin ?? '';
  return problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`;
}

/** `connectors.git.metadata.paths[2]`; keys that are no plain words are quoted. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = String(part);
    const shown = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
    return text === '' ? shown : `${text}.${shown}`;
  }, '');
}

/** The candidate that was probably meant: at most a third of its letters differ, or one is the beginning of the other. */
export function nearestOf(written: string, candidates: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let best = Number.POSITIVE_INFINITY;
  const text = written.slice(0, 100).toLowerCase();
  for (const candidate of candidates) {
    const distance = editDistance(text.replaceAll('-', '_'), candidate.replaceAll('-', '_'));
    const near =
      distance <= Math.max(1, Math.floor(candidate.length / 3)) ||
      isBeginning(text, candidate) ||
      isBeginning(candidate, text);
    if (near && distance < best) {
      nearest = candidate;
      best = distance;
    }
  }
  return nearest;
}

function isBeginning(short: string, long: string): boolean {
  return short.length >= 3 && long.startsWith(short);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let twoBack: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (twoBack[j - 2] ?? 0) + 1);
      current.push(least);
    }
    twoBack = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}

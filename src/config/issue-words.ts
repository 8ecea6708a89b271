// What zod found, in words of people who write YAML. Values are never echoed: any of them may be a secret.
import type { z } from 'zod';
import type { JsonValue } from '#core/json.ts';
import { descriptionAt, keysAt, type JsonSchema } from './json-schema.ts';
import { isTree, originAt, problemPlace, valueAt, type Layers } from './layers.ts';
import { nearestOf, pathText, type ConfigProblem } from './problem.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Where the issues came from: `base` is the path of the value the schema was asked about, `schema` describes it. */
export interface IssueContext {
  readonly layers: Layers;
  readonly base: Path;
  readonly schema: JsonSchema;
  /** Key → where it belongs, for keys that stand at the wrong level. */
  readonly elsewhere: ReadonlyMap<string, string>;
}

export interface PathProblem {
  readonly path: Path;
  readonly problem: ConfigProblem;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping (name: value)',
  record: 'a mapping (name: value)',
  array: 'a list',
};
const YES_WORDS = /^(?:y|yes|on|ja|oui)$/i;
const NO_WORDS = /^(?:n|no|off|nein|non)$/i;

export function toProblems(issue: Issue, context: IssueContext): readonly PathProblem[] {
  const path = [...context.base, ...issue.path];
  const at = (problem: string, hint: string | undefined, where: 'key' | 'value' = 'value'): readonly PathProblem[] => [
    {
      path,
      problem: {
        ...problemPlace(context.layers, path, where),
        path: pathText(path),
        problem,
        hint: hint ?? describe(issue.path, context),
      },
    },
  ];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, issue.path, context));
    case 'invalid_type':
      return at(...typeWords(issue.expected, path, context));
    case 'invalid_value':
      return at(
        `must be one of ${issue.values.map(String).join(', ')}`,
        nearestHint(path, issue.values.map(String), context),
      );
    case 'too_small':
    case 'too_big':
      return at(boundWords(issue), undefined);
    case 'invalid_key':
      return at(issue.issues[0]?.message ?? 'is not a valid name', 'rename it', 'key');
    case 'invalid_union':
      return unionProblems(issue, context);
    default:
      return at(issue.message, undefined);
  }
}

function unknownKey(key: string, parent: Path, context: IssueContext): PathProblem {
  const path = [...context.base, ...parent, key];
  const known = keysAt(context.schema, parent);
  const nearest = nearestOf(key, known);
  const elsewhere = context.elsewhere.get(key);
  const hint =
    nearest !== undefined
      ? `did you mean ${nearest}?`
      : elsewhere !== undefined
        ? `it belongs under ${elsewhere}`
        : `known here: ${[...new Set(known)].sort().join(', ')}`;
  return {
    path,
    problem: { ...problemPlace(context.layers, path, 'key'), path: pathText(path), problem: 'unknown key', hint },
  };
}

function typeWords(expected: string, path: Path, context: IssueContext): [problem: string, hint: string | undefined] {
  const value = valueAt(context.layers.value, path);
  const wanted = WORDS[expected] ?? expected;
  if (value === undefined) return ['is required', undefined];
  const problem = `must be ${wanted}, is ${kindOf(value)}`;
  const { origin } = originAt(context.layers, path);
  const reference = origin.kind === 'file' ? origin.references[0] : undefined;
  const quoted = origin.kind === 'file' && !origin.plain;
  if (expected === 'boolean' && typeof value === 'string' && reference === undefined) {
    if (YES_WORDS.test(value)) return [problem, 'YAML 1.2 reads this word as text: write true'];
    if (NO_WORDS.test(value)) return [problem, 'YAML 1.2 reads this word as text: write false'];
    if (/^(?:true|false)$/i.test(value)) return [problem, 'remove the quotes'];
  }
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return [
      problem,
      reference === undefined ? 'put it in quotes' : `put quotes around the reference: "\${${reference}}"`,
    ];
  }
  if ((expected === 'number' || expected === 'int') && quoted && typeof value === 'string') {
    return [
      problem,
      reference === undefined ? 'remove the quotes' : `write the reference without quotes: \${${reference}}`,
    ];
  }
  return [problem, undefined];
}

function unionProblems(issue: Issue & { code: 'invalid_union' }, context: IssueContext): readonly PathProblem[] {
  // A branch of the right kind, wrong inside, says more than "none of these": take the first that got past the type.
  const inside = issue.errors.find(
    (branch) => branch.length > 0 && branch.every((each) => each.code !== 'invalid_type' || each.path.length > 0),
  );
  if (inside !== undefined)
    return inside.flatMap((each) => toProblems({ ...each, path: [...issue.path, ...each.path] }, context));
  const path = [...context.base, ...issue.path];
  const expected = [
    ...new Set(
      issue.errors.flatMap((branch) => branch.map((each) => (each.code === 'invalid_type' ? each.expected : ''))),
    ),
  ].filter((each) => each !== '');
  if (expected.length === 0)
    return [
      {
        path,
        problem: {
          ...problemPlace(context.layers, path, 'value'),
          path: pathText(path),
          problem: issue.message,
          hint: describe(issue.path, context),
        },
      },
    ];
  const [first = ''] = expected;
  const [problem, hint] = typeWords(first, path, context);
  const words = expected.map((each) => WORDS[each] ?? each).join(' or ');
  const shown = problem.replace(WORDS[first] ?? first, words);
  return [
    {
      path,
      problem: {
        ...problemPlace(context.layers, path, 'value'),
        path: pathText(path),
        problem: shown,
        hint: hint ?? describe(issue.path, context),
      },
    },
  ];
}

function boundWords(issue: Issue & { code: 'too_small' | 'too_big' }): string {
  const [limit, word] = issue.code === 'too_small' ? [issue.minimum, 'least'] : [issue.maximum, 'most'];
  const unit =
    issue.origin === 'string'
      ? ' characters long'
      : issue.origin === 'array' || issue.origin === 'set'
        ? ' items long'
        : '';
  if (issue.origin === 'string' && issue.code === 'too_small' && limit === 1) return 'must not be empty';
  return `must be at ${word} ${String(limit)}${unit}`;
}

function nearestHint(path: Path, options: readonly string[], context: IssueContext): string | undefined {
  const { origin, exact } = originAt(context.layers, path);
  const value = valueAt(context.layers.value, path);
  // A referenced value may be a secret in the wrong place: even its neighbourhood stays unsaid.
  if (!exact || typeof value !== 'string' || (origin.kind === 'file' && origin.references.length > 0)) return undefined;
  const nearest = nearestOf(value, options);
  return nearest === undefined ? undefined : `did you mean ${nearest}?`;
}

function describe(path: Path, context: IssueContext): string {
  return descriptionAt(context.schema, path) ?? '';
}

function kindOf(value: JsonValue): string {
  if (Array.isArray(value)) return 'a list';
  if (isTree(value)) return 'a mapping';
  return typeof value === 'string' ? 'text' : typeof value === 'number' ? 'a number' : 'true or false';
}

// `--faults plan.yaml` of `weir simulate`: YAML → plan, with every problem at its line.

import { Fault } from '#core/fault.ts';
import type { z } from 'zod';
import { ConnectorFaultSchema, ForecastPlanSchema, SinkFaultSchema, type ForecastPlan } from '#core/forecast.ts';
import { toProblems } from './issue-words.ts';
import { toJsonSchema } from './json-schema.ts';
import { EMPTY_LAYERS, problemPlace, withFile, type Layers } from './layers.ts';
import { formatProblems, nearestOf, pathText, type ConfigProblem } from './problem.ts';
import { parseYamlTree } from './yaml-tree.ts';

export interface ForecastPlanInput {
  readonly text: string;
  /** For messages. */
  readonly file: string;
  readonly connectors: readonly string[];
  readonly sinks: readonly string[];
}

/** Throws `config_invalid` with every problem at once; names that the configuration does not have are problems too. */
export function parseForecastPlan({ text, file, connectors, sinks }: ForecastPlanInput): ForecastPlan {
  const nothing = { env: {}, readFile: () => '' };
  const tree = parseYamlTree(text, file, nothing);
  const layers = withFile(EMPTY_LAYERS, tree);
  const parsed = ForecastPlanSchema.safeParse(tree.value);
  const schema = toJsonSchema(ForecastPlanSchema);
  const problems: readonly ConfigProblem[] = [
    ...tree.problems,
    ...(parsed.success
      ? unknownNames(parsed.data, layers, { connector: connectors, sink: sinks })
      : parsed.error.issues
          .flatMap((issue) => ofOneKind(issue, tree.value))
          .flatMap((issue) => toProblems(issue, { layers, base: [], schema, elsewhere: new Map() }))
          .map(({ problem }) => problem)),
  ];
  if (problems.length > 0 || !parsed.success)
    throw new Fault('config_invalid', `${file} is not a plan:\n${formatProblems(problems)}`, { problems });
  return parsed.data;
}

type Issue = z.core.$ZodIssue;

/** A fault is about a connector or a sink, by the name it gives: what is wrong with it as the other kind helps nobody. */
function ofOneKind(issue: Issue, plan: unknown): readonly Issue[] {
  const [faults, index, ...rest] = issue.path;
  if (issue.code !== 'invalid_union' || faults !== 'faults' || typeof index !== 'number' || rest.length > 0)
    return [issue];
  const fault = (plan as { faults: readonly unknown[] }).faults[index]; // the path of the issue says that it is there
  const kind = typeof fault === 'object' && fault !== null && 'sink' in fault ? SinkFaultSchema : ConnectorFaultSchema;
  return (kind.safeParse(fault).error?.issues ?? []).map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

function unknownNames(
  plan: ForecastPlan,
  layers: Layers,
  known: { readonly connector: readonly string[]; readonly sink: readonly string[] },
): readonly ConfigProblem[] {
  const at = (path: readonly PropertyKey[], name: string, kind: keyof typeof known, where: 'key' | 'value') =>
    known[kind].includes(name)
      ? []
      : [
          {
            ...problemPlace(layers, path, where),
            path: pathText(path),
            problem: `weir.yaml has no ${kind} called ${name}`,
            hint: hintOf(name, known[kind]),
          },
        ];
  return [
    ...Object.keys(plan.rates).flatMap((name) => at(['rates', name], name, 'connector', 'key')),
    ...plan.faults.flatMap((fault, index) =>
      'connector' in fault
        ? at(['faults', index, 'connector'], fault.connector, 'connector', 'value')
        : at(['faults', index, 'sink'], fault.sink, 'sink', 'value'),
    ),
  ];
}

function hintOf(name: string, known: readonly string[]): string {
  const nearest = nearestOf(name, known);
  return nearest === undefined ? `there are: ${known.join(', ')}` : `did you mean ${nearest}?`;
}

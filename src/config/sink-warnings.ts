import type { WeirSettings } from './config-schema.ts';
import { problemPlace, type Layers } from './layers.ts';
import { nearestOf, pathText, type ConfigProblem } from './problem.ts';
import type { SinkConfig, SinkTypes } from './sink-settings.ts';

/** What a sink would silently not get, and what its type has to say of its settings. */
export function sinkWarnings(
  sinks: readonly SinkConfig[],
  { settings, layers, types }: { readonly settings: WeirSettings; readonly layers: Layers; readonly types: SinkTypes },
): readonly ConfigProblem[] {
  const connectors = Object.keys(settings.connectors);
  const tenants = [...new Set(Object.values(settings.connectors).map(({ tenant }) => tenant))];
  const at = (path: readonly PropertyKey[], problem: string, hint: string): ConfigProblem => ({
    ...problemPlace(layers, path, 'value'),
    path: pathText(path),
    problem,
    hint,
  });
  const unknown = (sink: SinkConfig, key: 'connectors' | 'tenants', known: readonly string[]): ConfigProblem[] =>
    (sink[key] ?? []).flatMap((name, i) => {
      if (known.includes(name)) return [];
      const nearest = nearestOf(name, known);
      const hint = nearest === undefined ? 'its older events, if any, are still sent' : `did you mean ${nearest}?`;
      return [at(['sinks', sink.name, key, i], `there is no such ${key.slice(0, -1)}`, hint)];
    });
  return sinks
    .filter(({ enabled }) => enabled)
    .flatMap((sink) => [
      ...unknown(sink, 'connectors', connectors),
      ...unknown(sink, 'tenants', tenants),
      ...(types.get(sink.type)?.warnings?.(sink.settings) ?? []).map(({ key, problem, hint }) =>
        at(['sinks', sink.name, 'settings', key], problem, hint),
      ),
    ]);
}

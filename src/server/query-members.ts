import type { FastifyRequest } from 'fastify';
import { Fault } from '#core/fault.ts';

/**
 * The query of a route that is no operation: only the members it knows. A misspelt one would silently do nothing, so any other is
 * refused with `input_invalid`, as operations do.
 */
export function queryOf<Name extends string>(
  request: FastifyRequest,
  ...names: readonly Name[]
): Readonly<Partial<Record<Name, unknown>>> {
  // fastify parses a query into an object without a prototype, of texts and lists of texts.
  const query = request.query as Readonly<Record<string, unknown>>;
  const problems = Object.keys(query)
    .filter((name) => !names.some((known) => known === name))
    .map((name) => ({ path: `/${name}`, problem: 'is not known here' }));
  if (problems.length > 0)
    throw new Fault('input_invalid', 'the query has members that are not known here', { problems });
  // What is left are members of these names, of whatever kind.
  return query as Readonly<Partial<Record<Name, unknown>>>;
}

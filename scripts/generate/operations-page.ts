import { z } from 'zod';
import type { Operation } from '#operations/operation.ts';
import { OPERATIONS } from '#operations/registry.ts';
import { code, page, table } from './page.ts';

export function operationsPage(): string {
  const overview = OPERATIONS.map((operation) => [
    code(operation.name),
    operation.title,
    code(`${operation.http.method} ${operation.http.path.replace(/:(\w+)/g, '{$1}')}`),
    operation.role,
    operation.changes ? 'yes' : 'no',
  ]);
  const body = `The verbs of Weir. The command line, HTTP and the dashboard render the same operations: same fields, same names. The whole
schema of every answer stands in ${code('/openapi.json')} of a running Weir.

${table(['Operation', 'What', 'HTTP', 'Role', 'Changes something'], overview)}

${OPERATIONS.map(inputSection).join('\n\n')}`;
  return page('Operations', '`src/operations`', body);
}

function inputSection(operation: Operation): string {
  const inputs = Object.entries<z.ZodType>(operation.input.shape).map(([name, schema]) => {
    // A transformed member has no JSON Schema of its output; its input is what a caller writes.
    const shape: Record<string, unknown> = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    const values = Array.isArray(shape['enum']) ? shape['enum'].map(String).join(', ') : '';
    const fallback = shape['default'] === undefined ? '' : `default ${JSON.stringify(shape['default'])}`;
    return [
      code(name),
      [typeof shape['description'] === 'string' ? shape['description'] : '', values, fallback]
        .filter((part) => part !== '')
        .join('; ') || '–',
    ];
  });
  return `## ${operation.name}\n\n${inputs.length === 0 ? 'Takes nothing.' : table(['Input', 'Meaning'], inputs)}`;
}

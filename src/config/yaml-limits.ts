// How large a configuration may be. Measured on the lexer's symbols, before the parser spends time on them (T30).
import { CST, Lexer } from 'yaml';
import type { ConfigProblem } from './problem.ts';

export const YAML_LIMITS = {
  bytesMax: 256 * 1024, // of one file
  lexemesMax: 60_000, // about 7,000 lines; 256 KB of nothing but punctuation would take seconds to compose
  depthMax: 64, // of nested collections; deeper ones overflow the composer's stack
  aliasesMax: 100,
  nodesMax: 20_000, // values after aliases are expanded: this is what stops a billion laughs
} as const;

/** Measures before parsing, so that a hostile file costs a bounded time (T30). */
export function sizeProblem(text: string, file: string): ConfigProblem | undefined {
  const found = (problem: string, hint: string): ConfigProblem => ({
    file,
    line: 1,
    column: 1,
    path: '',
    problem,
    hint,
  });
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > YAML_LIMITS.bytesMax)
    return found(
      `the file has ${bytes} bytes, more than ${YAML_LIMITS.bytesMax}`,
      'this is not a weir.yaml, or it carries data that belongs elsewhere',
    );
  let lexemes = 0;
  let flowDepth = 0;
  let lineDepth = 0;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    const type = CST.tokenType(lexeme);
    if (type === 'newline') lineDepth = 0;
    else if (type === 'flow-map-start' || type === 'flow-seq-start') flowDepth += 1;
    else if (type === 'flow-map-end' || type === 'flow-seq-end') flowDepth -= 1;
    else if (type === 'seq-item-ind' || type === 'explicit-key-ind' || type === 'map-value-ind')
      lineDepth += flowDepth > 0 ? 0 : 1;
    if (flowDepth > YAML_LIMITS.depthMax || lineDepth > YAML_LIMITS.depthMax)
      return found(`nested more than ${YAML_LIMITS.depthMax} deep`, 'flatten it');
    if (lexemes > YAML_LIMITS.lexemesMax)
      return found(
        `more than ${YAML_LIMITS.lexemesMax} YAML symbols`,
        'split the connectors over several Weir instances',
      );
  }
  return undefined;
}

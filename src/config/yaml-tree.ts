// YAML text → plain values with the place of each, within stated limits and with every reference substituted.
// The tree holds only maps, arrays and scalars of JSON; nulls in maps are left out, so an empty value means "not said".
import {
  LineCounter,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Document,
  type Node,
  type Scalar,
} from 'yaml';
import type { JsonValue } from '#core/json.ts';
import { pathText, type ConfigProblem } from './problem.ts';
import { numberProblem, plainScalar, substitute, type ReferenceSources } from './substitute.ts';
import { YAML_LIMITS, sizeProblem } from './yaml-limits.ts';

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Where a value stands, and whether a reference gave it: such a value is never shown. */
export interface ValuePlace {
  readonly key: Place;
  readonly value: Place;
  readonly references: readonly string[];
  /** Written without quotes: YAML then decides its type. */
  readonly plain: boolean;
}

export interface MissingReference {
  readonly path: readonly PropertyKey[];
  readonly variable: string;
  readonly place: Place;
}

export interface YamlTree {
  readonly value: { readonly [key: string]: JsonValue };
  /** By `placeKey(path)`. */
  readonly places: ReadonlyMap<string, ValuePlace>;
  readonly missing: readonly MissingReference[];
  readonly problems: readonly ConfigProblem[];
}

type Path = readonly PropertyKey[];

export const placeKey = (path: Path): string => JSON.stringify(path);

/** Reads one file. Total: every finding is in `problems`; after a syntax error the value is empty. */
export function parseYamlTree(text: string, file: string, sources: ReferenceSources): YamlTree {
  const size = sizeProblem(text, file);
  if (size !== undefined) return { value: {}, places: new Map(), missing: [], problems: [size] };
  const lines = new LineCounter();
  // uniqueKeys: the library compares every pair of keys (25,000 keys: 9 s); TreeReader does it in one pass.
  // logLevel: 'silent' would also swallow the error about a second document.
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const reader = new TreeReader(file, lines, document, sources);
  const syntax = document.errors[0];
  // Only the first: the following ones mostly come from reading on in the wrong state.
  if (syntax !== undefined) {
    const at = reader.placeAt(syntax.pos[0]);
    return reader.tree({}, [
      { ...at, path: '', ...syntaxWords(syntax.code, syntax.message, text.split('\n')[at.line - 1] ?? '') },
    ]);
  }
  for (const warning of document.warnings)
    reader.report([], warning.pos[0], warning.message, 'tags (!name) are not used here: write the plain value');
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return reader.tree({});
  if (!isMap(root)) {
    reader.report([], root.range?.[0] ?? 0, 'the file must be a mapping', 'begin with a line such as connectors:');
    return reader.tree({});
  }
  const value = reader.read(root, []);
  // The root is a map, so `read` gave an object; anything else was reported.
  return reader.tree(value as { readonly [key: string]: JsonValue });
}

function syntaxWords(code: string, message: string, line: string): { problem: string; hint: string } {
  const flowReference = /[[{,]\s*\$\{|[[{][^"']*\$\{/.test(line);
  if (flowReference)
    return { problem: 'a reference inside [ ] or { } without quotes', hint: 'put it in quotes: ["${NAME}"]' };
  if (/\$\{[^}]*: /.test(line))
    return { problem: 'a reference with ": " in it needs quotes', hint: 'write "${NAME:-text}" in quotes' };
  switch (code) {
    case 'TAB_AS_INDENT':
      return { problem: 'a tab used as indentation', hint: 'indent with spaces' };
    case 'MULTIPLE_DOCS':
      return { problem: 'a second document (---)', hint: 'one file is one document: remove the line' };
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BAD_INDENT':
      return {
        problem: `not valid YAML: ${message}`,
        hint: 'check the indentation of this line and the one before; quote texts that contain ": "',
      };
    default:
      return {
        problem: `not valid YAML: ${message}`,
        hint: 'correct the syntax here; nothing after it could be checked',
      };
  }
}

class TreeReader {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #document: Document.Parsed;
  readonly #sources: ReferenceSources;
  readonly #places = new Map<string, ValuePlace>();
  readonly #missing: MissingReference[] = [];
  readonly #problems: ConfigProblem[] = [];
  readonly #open = new Set<Node>();
  #aliases = 0;
  #nodes = 0;
  #full = false;

  constructor(file: string, lines: LineCounter, document: Document.Parsed, sources: ReferenceSources) {
    this.#file = file;
    this.#lines = lines;
    this.#document = document;
    this.#sources = sources;
  }

  tree(value: YamlTree['value'], problems: readonly ConfigProblem[] = this.#problems): YamlTree {
    return { value, places: this.#places, missing: this.#missing, problems };
  }

  placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  report(path: Path, offset: number, problem: string, hint: string): void {
    this.#problems.push({ ...this.placeAt(offset), path: pathText(path), problem, hint });
  }

  /** `undefined`: null, missing, or reported. */
  read(node: Node, path: Path, keyOffset = 0, written: Node = node): JsonValue | undefined {
    const offset = written.range?.[0] ?? keyOffset;
    const place = (references: readonly string[] = [], plain = false): void => {
      this.#places.set(placeKey(path), {
        key: this.placeAt(keyOffset),
        value: this.placeAt(offset),
        references,
        plain,
      });
    };
    this.#nodes += 1;
    if (this.#nodes > YAML_LIMITS.nodesMax || this.#aliases > YAML_LIMITS.aliasesMax) {
      if (!this.#full)
        this.report(
          path,
          offset,
          `more than ${YAML_LIMITS.aliasesMax} aliases or ${YAML_LIMITS.nodesMax} values`,
          'write the values out, or split the file',
        );
      this.#full = true;
      return undefined;
    }
    if (isAlias(node)) {
      this.#aliases += 1;
      const target = node.resolve(this.#document);
      if (target !== undefined && !this.#open.has(target)) return this.read(target, path, keyOffset, written);
      this.report(
        path,
        offset,
        target === undefined ? `*${node.source} is not defined above` : `*${node.source} contains itself`,
        `define &${node.source} on an earlier value`,
      );
      return undefined;
    }
    if (isScalar(node)) return this.#scalar(node, path, offset, place);
    if (path.length >= YAML_LIMITS.depthMax) {
      this.report(path, offset, `nested more than ${YAML_LIMITS.depthMax} deep`, 'flatten it');
      return undefined;
    }
    place();
    this.#open.add(node);
    const value = isMap(node)
      ? this.#map(node.items, path)
      : isSeq(node)
        ? this.#seq(node.items, path, offset)
        : undefined;
    this.#open.delete(node);
    return value;
  }

  #map(items: readonly { key: unknown; value: unknown }[], path: Path): JsonValue {
    const entries = new Map<string, JsonValue>();
    const seen = new Map<string, number>();
    for (const { key, value } of items) {
      const keyNode = key as Node; // a parsed document's pairs hold nodes; only hand-built ones hold bare values
      const offset = keyNode.range?.[0] ?? 0;
      if (!isScalar(keyNode)) {
        this.report(path, offset, 'a key must be plain text', 'write it as name: value');
        continue;
      }
      const name = typeof keyNode.value === 'string' ? keyNode.value : (keyNode.source ?? String(keyNode.value));
      const at = [...path, name];
      const first = seen.get(name);
      if (first !== undefined)
        this.report(at, offset, `duplicate key, first on line ${this.placeAt(first).line}`, 'keep one of them');
      else if (name === '<<')
        this.report(
          at,
          offset,
          'merge keys (<<) are not part of YAML 1.2',
          'write the keys out, or use *name as a whole value',
        );
      else if (name === '__proto__' || name === 'constructor' || name === 'prototype')
        this.report(at, offset, 'this key is not allowed', 'choose another name');
      else {
        const read = value === null ? undefined : this.read(value as Node, at, offset); // as above: a node or null
        if (read !== undefined && read !== null) entries.set(name, read);
      }
      seen.set(name, first ?? offset);
    }
    return Object.fromEntries(entries);
  }

  #seq(items: readonly unknown[], path: Path, offset: number): JsonValue {
    // A place is kept for a missing item, so that the numbers of the following ones stay those of the file.
    return items.map((item, i) => this.read(item as Node, [...path, i], offset) ?? '');
  }

  #scalar(
    node: Scalar,
    path: Path,
    offset: number,
    place: (references: readonly string[], plain: boolean) => void,
  ): JsonValue | undefined {
    const plain = node.type === 'PLAIN';
    const text = typeof node.value === 'string' ? node.value : undefined;
    if (text === undefined || !text.includes('$')) {
      place([], plain);
      const odd =
        plain && typeof node.value === 'number' ? numberProblem(node.source ?? String(node.value)) : undefined;
      if (odd !== undefined) this.report(path, offset, odd.problem, odd.hint);
      return scalarValue(node.value);
    }
    const result = substitute(text, this.#sources);
    place(result.references, plain);
    for (const each of result.problems) this.report(path, offset, each.problem, each.hint);
    for (const variable of result.missing) this.#missing.push({ path, variable, place: this.placeAt(offset) });
    if (result.missing.length > 0 || result.problems.length > 0) return undefined;
    if (!plain || !result.typed) return result.text;
    const odd = numberProblem(result.text);
    if (odd !== undefined) this.report(path, offset, `\${${result.references[0] ?? ''}}: ${odd.problem}`, odd.hint);
    return plainScalar(result.text) ?? undefined;
  }
}

function scalarValue(value: unknown): JsonValue | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

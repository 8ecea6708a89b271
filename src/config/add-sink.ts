// Adds an entry to `sinks:` of a weir.yaml as text: everything that stands there stays as it is, byte for byte.

import { isDeepStrictEqual } from 'node:util';
import { isMap, isScalar, parseDocument, stringify, type YAMLMap } from 'yaml';
import { Fault } from '#core/fault.ts';
import type { JsonObject } from '#core/json.ts';

const SECTION = 'sinks';
const INDENT = '  ';

/** Lines of the entry as they are written, for people too. */
export function sinkEntryText(name: string, entry: JsonObject): string {
  return stringify({ [name]: entry }, { lineWidth: 0 });
}

/** Throws `input_invalid` for a name that is taken, `config_invalid` where the text is written in a form that no line can be added to. */
export function addSinkText(text: string, name: string, entry: JsonObject): string {
  const document = parseDocument(text, { version: '1.2', schema: 'core' });
  const root = document.contents;
  if (document.errors.length > 0 || (root !== null && !isMap(root))) throw unfit(name, entry);
  const section: unknown = root === null ? undefined : document.get(SECTION, true);
  if (isMap(section) && section.has(name))
    throw new Fault('input_invalid', `there is a sink ${name} in weir.yaml already; nothing was changed`);
  const added = withEntry(text, section, name, entry);
  if (added === undefined || !saysTheSame(text, added, name, entry)) throw unfit(name, entry);
  return added;
}

function withEntry(text: string, section: unknown, name: string, entry: JsonObject): string | undefined {
  if (section === undefined)
    return `${ended(text)}${text.trim() === '' ? '' : '\n'}${SECTION}:\n${indented(name, entry, INDENT)}`;
  const empty = isScalar(section) && section.value === null;
  if (!empty && (!isMap(section) || section.flow === true)) return undefined;
  const column = isMap(section) ? columnOf(text, section) : INDENT.length;
  const end = section.range?.[1];
  if (column === undefined || end === undefined) return undefined;
  // The end of the last entry, or of the bare heading, may stand within its line: behind it there can be a comment.
  const at = text[end - 1] === '\n' ? end : text.indexOf('\n', end) + 1;
  const [before, after] = at === 0 ? [ended(text), ''] : [text.slice(0, at), text.slice(at)];
  return before + indented(name, entry, ' '.repeat(column)) + after;
}

/** How far the entries of the section are indented. */
function columnOf(text: string, section: YAMLMap): number | undefined {
  const first = section.items[0]?.key;
  const offset = isScalar(first) ? first.range?.[0] : undefined;
  if (offset === undefined) return undefined;
  const column = offset - (text.lastIndexOf('\n', offset - 1) + 1);
  return text.slice(offset - column, offset).trim() === '' ? column : undefined;
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function indented(name: string, entry: JsonObject, indent: string): string {
  return sinkEntryText(name, entry).replace(/^(?=.)/gm, indent);
}

/** What was there is there still, and the entry besides: whatever form the file has, nothing else may come of it. */
function saysTheSame(before: string, after: string, name: string, entry: JsonObject): boolean {
  const [was, is] = [before, after].map((text) => {
    const document = parseDocument(text, { version: '1.2', schema: 'core' });
    // Aliases are resolved by the library within its own limit.
    return document.errors.length > 0 ? undefined : ((document.toJS() ?? {}) as Readonly<Record<string, unknown>>);
  });
  if (was === undefined || is === undefined) return false;
  const sinks = (was[SECTION] ?? {}) as Readonly<Record<string, unknown>>; // a map, or absent: seen above
  return isDeepStrictEqual(is, { ...was, [SECTION]: { ...sinks, [name]: entry } });
}

function unfit(name: string, entry: JsonObject): Fault {
  return new Fault(
    'config_invalid',
    `weir.yaml is not written in a form that lines can be added to; write them yourself below ${SECTION}:\n${indented(name, entry, INDENT)}`,
  );
}

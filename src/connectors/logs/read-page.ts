import type { EventDraft, Severity } from '#sdk/index.ts';
import { SEVERITIES } from '#sdk/index.ts';
import { type LogFormat, type RawRecord, RecordAssembler } from './assemble-record.ts';
import { type FileState, fingerprintsOf } from './file-state.ts';
import { PageGroups } from './group.ts';
import { LOGS_LIMITS } from './limits.ts';
import type { OpenFile } from './open-file.ts';
import { parseRecord } from './parse-record.ts';
import { type ReadEnd, readLines } from './read-lines.ts';
import { toEvent } from './to-event.ts';

export interface PageOptions {
  readonly format: LogFormat;
  readonly severityMin: Severity;
  /** End of the file when the run began: what is written meanwhile is the next run's. */
  readonly to: number;
}

export interface FilePage {
  readonly events: readonly EventDraft[];
  readonly state: FileState;
  readonly skipped: Readonly<Record<string, number>>;
  /** More of the file can be read now. */
  readonly more: boolean;
}

/**
 * The next part of a file as events; undefined when there is no complete line after the state's offset. A page follows from its
 * first byte and the file's bytes alone, so any restart reads the same pages and gives the same keys.
 */
export async function readPage(file: OpenFile, state: FileState, options: PageOptions): Promise<FilePage | undefined> {
  const late = state.open === null ? 'no' : await lateContinuation(file, state, options);
  if (late === 'unknown') return undefined;
  if (late === 'no' || state.open === null)
    return pageFrom(file, state, options, { from: state.offset, cut: state.cut });
  // The record that closed the last page goes on: that page is read again and its last group replaces what was sent of it.
  const { page: from, pageCut: cut, record, alone } = state.open;
  const again = { from, cut, goneUntil: state.offset, ...(alone ? { alone: record } : {}) };
  const page = await pageFrom(file, state, options, again);
  return page === undefined ? undefined : { ...page, skipped: {} };
}

interface PageStart {
  readonly from: number;
  readonly cut: boolean;
  /** Everything before this offset was in an earlier page; only groups that reach beyond it are events now. */
  readonly goneUntil?: number;
  /** First byte of the record that stood in a group of its own when this page was read before. */
  readonly alone?: number;
}

async function pageFrom(
  file: OpenFile,
  state: FileState,
  options: PageOptions,
  start: PageStart,
): Promise<FilePage | undefined> {
  const { from, cut, goneUntil } = start;
  const gathered = await gather(file, options, start);
  const { end, groups, skipped, stopped, extendable, unfinished } = gathered;
  if (end.offset <= state.offset) return undefined;
  const open =
    stopped || end.cut || extendable === undefined
      ? null
      : { page: from, pageCut: cut, record: extendable.start, alone: unfinished || extendable.start === start.alone };
  const next: FileState = {
    ...state,
    offset: end.offset,
    cut: end.cut,
    open,
    left: false,
    ...(await fingerprintsOf(file.handle, end.offset)),
  };
  const fresh = goneUntil === undefined ? groups.groups : groups.groups.filter((group) => group.end > goneUntil);
  return { events: fresh.map((group) => toEvent(next, group, file.mtimeMs)), state: next, skipped, more: stopped };
}

interface Gathered {
  readonly end: ReadEnd;
  readonly groups: PageGroups;
  readonly skipped: Record<string, number>;
  /** The page was full and the file goes on. */
  readonly stopped: boolean;
  readonly extendable: RawRecord | undefined;
  readonly unfinished: boolean;
}

async function gather(
  file: OpenFile,
  options: PageOptions,
  { from, cut, goneUntil = Number.MAX_SAFE_INTEGER, alone }: PageStart,
): Promise<Gathered> {
  const groups = new PageGroups();
  const skipped: Record<string, number> = {};
  const assembler = new RecordAssembler(options.format);
  const rankMax = SEVERITIES.indexOf(options.severityMin);
  let stopped = false;
  const finish = (raw: RawRecord | undefined, apart = false): void => {
    if (raw === undefined || (raw.head === '' && raw.rest.length === 0)) return;
    const record = parseRecord(raw, file.mtimeMs);
    if (SEVERITIES.indexOf(record.severity) <= rankMax) return groups.add(record, apart || raw.start === alone);
    const reason = record.levelUnknown ? 'unknown_level' : 'below_min_severity';
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  };
  const to = Math.min(options.to, from + LOGS_LIMITS.pageHardBytes);
  const end = await readLines(file.handle, { from, to, cut }, (line) => {
    if (line.text === '' || assembler.extend(line)) return true;
    stopped =
      line.start >= goneUntil ||
      line.start - from >= LOGS_LIMITS.pageBytes ||
      groups.groups.length >= LOGS_LIMITS.groupsMax;
    if (stopped) return false;
    finish(assembler.close());
    assembler.begin(line);
    return true;
  });
  const { extendable, unfinished } = assembler;
  finish(assembler.close(), unfinished);
  return { end, groups, skipped, stopped: stopped || to < options.to, extendable, unfinished };
}

/** Whether the first line after the offset belongs to the record that was last when the file was read; `unknown` without such a line. */
async function lateContinuation(
  file: OpenFile,
  state: FileState,
  options: PageOptions,
): Promise<'yes' | 'no' | 'unknown'> {
  if (state.open === null) return 'no';
  const assembler = new RecordAssembler(options.format);
  let answer: 'yes' | 'no' | 'unknown' = 'unknown';
  await readLines(file.handle, { from: state.open.record, to: options.to, cut: false }, (line) => {
    const inBounds = line.start - state.offset < LOGS_LIMITS.pageBytes;
    if (line.text === '' && inBounds) return true;
    if (line.start === state.open?.record) assembler.begin(line);
    else if (line.start < state.offset) assembler.extend(line);
    else answer = assembler.extend(line) ? 'yes' : 'no';
    return answer === 'unknown';
  });
  return answer;
}

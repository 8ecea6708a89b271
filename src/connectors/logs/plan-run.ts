import { basename, dirname, extname } from 'node:path';
import { type Fault, toFault } from '#sdk/index.ts';
import { type FileState, fingerprintsOf, isContinued, type LogsCursor, NO_BYTES } from './file-state.ts';
import { findFiles, type PatternMatch, siblingsOf } from './find-files.ts';
import { LOGS_LIMITS } from './limits.ts';
import { type FilePlace, identityOf, type OpenFile, withFile } from './open-file.ts';

/** One file to read in this run, from where its state says. */
export interface FileWork {
  readonly state: FileState;
  /** What the file held when the run began. */
  readonly size: number;
  /** Some pattern matches it. Otherwise it is what is left of a rotated file: read to its end, then forgotten. */
  readonly matched: boolean;
  /** Not in the cursor yet; its serial is given when its first line is read. */
  readonly fresh: boolean;
}

export interface RunPlan {
  readonly work: readonly FileWork[];
  readonly skipped: Record<string, number>;
  /** What an operator should know, one sentence each. */
  readonly warnings: readonly string[];
  /** Patterns that cannot be read at all. The others are read first, then the run fails with it. */
  readonly fault: Fault | undefined;
}

/** Where the files of the cursor are now, and which files are new. Rotation is recognised here and nowhere else. */
export async function planRun(
  patterns: readonly string[],
  roots: readonly string[],
  cursor: LogsCursor,
  signal: AbortSignal,
): Promise<RunPlan> {
  const matches: PatternMatch[] = [];
  for (const pattern of patterns) matches.push(await findFiles(pattern, roots, signal));
  const planner = new Planner(roots, signal, matches, new Set(cursor.files.map(identityOf)));
  for (const state of cursor.files) await planner.locate(state);
  await planner.rescueLost();
  await planner.addFresh();
  return planner.plan();
}

class Planner {
  readonly #roots: readonly string[];
  readonly #signal: AbortSignal;
  readonly #found: Map<string, FilePlace>;
  readonly #work: FileWork[] = [];
  readonly #lost: FileState[] = [];
  readonly #skipped: Record<string, number> = {};
  readonly #warnings: string[] = [];
  #fault: Fault | undefined;

  constructor(
    roots: readonly string[],
    signal: AbortSignal,
    matches: readonly PatternMatch[],
    known: ReadonlySet<string>,
  ) {
    this.#roots = roots;
    this.#signal = signal;
    this.#fault = matches.find((match) => match.fault !== undefined)?.fault;
    const files = matches.flatMap((match) => match.files).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    // One file under two names is one file.
    const byIdentity = new Map(files.toReversed().map((file) => [identityOf(file), file]));
    // Above the limit known files stay: one that was put out would later be begun anew.
    const entries = [...byIdentity.entries()].toReversed();
    const kept = [...entries.filter(([id]) => known.has(id)), ...entries.filter(([id]) => !known.has(id))].slice(
      0,
      LOGS_LIMITS.filesMax,
    );
    this.#found = new Map(kept);
    this.#count('over_file_limit', byIdentity.size - kept.length);
    for (const match of matches) {
      this.#count('compressed', match.compressed);
      for (const { fault } of match.refused) this.#count(fault.code, 1);
      if (match.incomplete)
        this.#warnings.push(
          `${match.pattern}: more than ${LOGS_LIMITS.dirEntriesMax} directory entries; the rest was not looked at`,
        );
    }
  }

  /** Finds a known file again: where its inode is matched, else beside its old place. */
  async locate(state: FileState): Promise<void> {
    const match = this.#found.get(identityOf(state));
    this.#found.delete(identityOf(state));
    const beside = match === undefined ? await this.#besides(state.path) : [match];
    const place = beside?.find((file) => identityOf(file) === identityOf(state));
    if (place === undefined && beside !== undefined) return this.#vanished(state);
    const looked =
      place &&
      (await this.#look(place, async (file) => {
        const continued =
          state.encoding === 'utf16' ? await isUtf16(file) : await isContinued(file.handle, file.size, state);
        return { continued, size: file.size, path: file.path };
      }));
    if (looked === undefined) {
      // Not readable just now: the state is kept, and so is what it remembers.
      this.#work.push({ state, size: state.offset, matched: match !== undefined, fresh: false });
    } else if (looked.continued) {
      this.#work.push({
        state: { ...state, path: looked.path },
        size: looked.size,
        matched: match !== undefined,
        fresh: false,
      });
    } else {
      this.#count('truncated', 1);
      this.#lost.push(state);
      if (match !== undefined) this.#found.set(identityOf(match), match);
    }
  }

  #vanished(state: FileState): void {
    if (state.left) return;
    this.#count('vanished', 1);
    this.#warnings.push(
      `${state.path} is gone and not found beside its place; lines after byte ${state.offset} may be lost`,
    );
  }

  /** Copy and truncate: the copy holds what was not read before the truncation, and must not be taken for a new file. */
  async rescueLost(): Promise<void> {
    for (const state of this.#lost) {
      const matched = [...this.#found.values()].filter((file) => identityOf(file) !== identityOf(state));
      const beside = ((await this.#besides(state.path)) ?? []).filter(
        (file) => isNamedAfter(file.path, state.path) && !this.#isKnown(file),
      );
      const copy = await this.#firstCopy([...matched, ...beside], state);
      if (copy === undefined) {
        this.#count('possible_loss', 1);
        this.#warnings.push(
          `${state.path} was truncated or replaced after byte ${state.offset}; lines written just before may be lost`,
        );
      }
    }
  }

  async #firstCopy(candidates: readonly FilePlace[], state: FileState): Promise<FilePlace | undefined> {
    if (state.offset === 0) return undefined;
    for (const candidate of candidates) {
      const looked = await this.#look(candidate, (file) => stateOfCopy(file, state));
      if (looked === undefined) continue;
      const matched = this.#found.delete(identityOf(candidate));
      this.#work.push({ state: looked.state, size: looked.size, matched, fresh: false });
      if (looked.complete) return candidate;
    }
    return undefined;
  }

  /** What is left is new, unless it is a copy of a file that is still there: then its lines are in the log or will be. */
  async addFresh(): Promise<void> {
    const known = this.#work.filter((work) => work.state.offset > 0).map(({ state }) => state);
    for (const place of this.#found.values()) {
      const looked = await this.#look(place, async (file) => {
        if (await this.#isCopyOfKnown(file, known)) return 'copy';
        return { size: file.size, utf16: await isUtf16(file) };
      });
      if (looked === 'copy') this.#count('copy', 1);
      else if (looked !== undefined) this.#addNew(place, looked.size, looked.utf16);
    }
  }

  async #isCopyOfKnown(copy: OpenFile, known: readonly FileState[]): Promise<boolean> {
    for (const state of known) {
      if (!isNamedAfter(copy.path, state.path) || copy.size === 0) continue;
      const same = await this.#look(
        state,
        async (original) => copy.size <= original.size && (await isBeginningOf(copy, original)),
      );
      if (same === true) return true;
    }
    return false;
  }

  #addNew({ path, dev, ino }: FilePlace, size: number, utf16: boolean): void {
    const behind = size > LOGS_LIMITS.backlogBytesMax ? size - LOGS_LIMITS.backlogBytesMax - 1 : 0;
    if (behind > 0) {
      this.#count('backlog_files', 1);
      this.#warnings.push(
        `${path}: begun ${LOGS_LIMITS.backlogBytesMax} bytes before its end; the ${behind} bytes before are not read`,
      );
    }
    const encoding = utf16 ? 'utf16' : 'utf8';
    const state: FileState = {
      path,
      dev,
      ino,
      serial: 0,
      offset: behind,
      cut: behind > 0,
      head: NO_BYTES,
      tail: NO_BYTES,
      open: null,
      left: false,
      encoding,
    };
    this.#work.push({ state, size, matched: true, fresh: true });
  }

  plan(): RunPlan {
    // Known files first: what is left of a rotated file comes before the file that took its place.
    const work = [...this.#work.filter((one) => !one.fresh), ...this.#work.filter((one) => one.fresh)];
    return { work, skipped: this.#skipped, warnings: this.#warnings, fault: this.#fault };
  }

  #isKnown(file: FilePlace): boolean {
    return (
      this.#work.some(({ state }) => identityOf(state) === identityOf(file)) ||
      this.#lost.some((state) => identityOf(state) === identityOf(file))
    );
  }

  #besides(path: string): Promise<readonly FilePlace[] | undefined> {
    return siblingsOf(path, this.#roots, this.#signal);
  }

  async #look<T>(place: FilePlace, fn: (file: OpenFile) => Promise<T>): Promise<T | undefined> {
    this.#signal.throwIfAborted();
    try {
      return await withFile(place, this.#roots, fn);
    } catch (error) {
      const fault = toFault(error);
      this.#count(fault.code, 1);
      this.#fault ??= fault;
      return undefined;
    }
  }

  #count(reason: string, count: number): void {
    if (count > 0) this.#skipped[reason] = (this.#skipped[reason] ?? 0) + count;
  }
}

/** The state with which a copy of a lost file is read on; undefined when it is none. `complete`: nothing the file held is missing. */
async function stateOfCopy(
  copy: OpenFile,
  lost: FileState,
): Promise<{ state: FileState; size: number; complete: boolean } | undefined> {
  const { path, dev, ino, size } = copy;
  const state = { ...lost, path, dev, ino };
  if (await isContinued(copy.handle, size, lost)) return { state, size, complete: true };
  // Made before the last lines were read: all of it is in the log, and what came after it is not in it.
  if (
    size >= lost.offset ||
    !isNamedAfter(path, lost.path) ||
    !(await isContinued(copy.handle, size, { ...lost, offset: lost.head.bytes, tail: NO_BYTES }))
  )
    return undefined;
  return {
    state: { ...state, offset: size, cut: false, open: null, ...(await fingerprintsOf(copy.handle, size)) },
    size,
    complete: false,
  };
}

/** `app.log.1` and `app-20260101.log` are named after `app.log`; never the other way round. */
function isNamedAfter(path: string, original: string): boolean {
  const name = basename(original);
  const stem = name.slice(0, name.length - extname(name).length);
  return dirname(path) === dirname(original) && path.length > original.length && basename(path).startsWith(stem);
}

async function isUtf16(file: OpenFile): Promise<boolean> {
  const mark = Buffer.alloc(2);
  await file.handle.read(mark, 0, 2, 0);
  return mark.readUInt16BE() === 0xfeff || mark.readUInt16BE() === 0xfffe;
}

async function isBeginningOf(copy: OpenFile, original: OpenFile): Promise<boolean> {
  const bytes = Math.min(copy.size, LOGS_LIMITS.fingerprintBytesMax);
  const [left, right] = [Buffer.alloc(bytes), Buffer.alloc(bytes)];
  for (const at of [0, copy.size - bytes]) {
    await copy.handle.read(left, 0, bytes, at);
    await original.handle.read(right, 0, bytes, at);
    if (!left.equals(right)) return false;
  }
  return true;
}

import { z } from 'zod';
import {
  type CheckFinding,
  type ConnectorContext,
  defineConnector,
  defineStream,
  Fault,
  type JsonValue,
  type Page,
  SEVERITIES,
} from '#sdk/index.ts';
import { type FileState, isContinued, type LogsCursor, LogsCursorSchema } from './file-state.ts';
import { findFiles, type PatternMatch } from './find-files.ts';
import { LOGS_LIMITS } from './limits.ts';
import { openFile, withFile } from './open-file.ts';
import { type FileWork, planRun } from './plan-run.ts';
import { type FilePage, readPage } from './read-page.ts';

const LogsConfigSchema = z.strictObject({
  paths: z
    .array(
      z
        .string()
        .min(1)
        .max(LOGS_LIMITS.patternCharsMax)
        .refine((path) => !path.includes('\0'), 'must not hold a NUL character'),
    )
    .min(1)
    .max(LOGS_LIMITS.patternsMax)
    .describe(
      'log files to follow; * and ? match within a name, ** any directories. Absolute, or relative to the first allowed directory',
    ),
  format: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .describe(
      'auto: each line is JSON or text as it looks; json: every line stands alone, without continuation lines; text: nothing is read as JSON',
    ),
  min_severity: z
    .enum(SEVERITIES)
    .default('medium')
    .describe(
      'records below it are counted and left out: critical (critical, fatal), high (error), medium (warning, deadlock, timeout, out of memory), low (everything)',
    ),
});

type LogsConfig = z.infer<typeof LogsConfigSchema>;

const lines = defineStream<LogsConfig, LogsCursor>({
  title: 'Log lines, grouped by template',
  cursor: LogsCursorSchema,
  async *pull(ctx, cursor) {
    const before = cursor ?? { files: [], serialNext: 0 };
    const plan = await ctx.call('list_files', (signal) => planRun(ctx.config.paths, ctx.allowedPaths, before, signal));
    for (const warning of plan.warnings) ctx.log('warn', warning);
    const states = new Map(plan.work.filter((work) => !work.fresh).map((work) => [work.state.serial, work.state]));
    let serialNext = before.serialNext;
    let stored = cursor; // what the platform holds
    let skipped: Readonly<Record<string, number>> = plan.skipped; // of the listing: told once, with the first page
    let done = 0;
    const total = plan.work.reduce((sum, work) => sum + Math.max(work.size - work.state.offset, 0), 0);
    const cursorNow = (): LogsCursor => ({ files: [...states.values()], serialNext });

    for (const work of plan.work) {
      // The serial is given with the first page: a file without a line would otherwise take another one at every restart.
      const state = work.fresh ? { ...work.state, serial: serialNext } : work.state;
      let moved = false;
      for await (const page of pagesOf(ctx, work, state)) {
        done += page.state.offset - (states.get(state.serial)?.offset ?? state.offset);
        states.set(state.serial, page.state);
        if (work.fresh && !moved) serialNext += 1;
        moved = true;
        stored = cursorNow();
        yield { ...pageWith(page, skipped), cursor: stored, progress: { done, total } };
        skipped = {};
      }
      if (ctx.signal.aborted) return;
      const now = states.get(state.serial);
      if (!work.matched && now !== undefined) {
        // A writer may hold a rotated file open a little longer: it is forgotten when one whole run found nothing new in it.
        if (now.left && !moved) states.delete(now.serial);
        else states.set(now.serial, { ...now, left: true });
      }
    }
    const after = cursorNow();
    if (JSON.stringify(after) !== JSON.stringify(stored)) yield { events: [], skipped, cursor: after };
    if (plan.fault !== undefined) throw plan.fault;
  },
});

export default defineConnector<LogsConfig>({
  type: 'logs',
  version: '1.0.0',
  title: 'Log files',
  stability: 'beta',
  config: LogsConfigSchema,
  limits: { callTimeoutMs: 30_000, pollIntervalMsDefault: 10_000 },
  streams: { lines },
  async check(ctx) {
    const findings: CheckFinding[] = [];
    for (const pattern of ctx.config.paths) {
      const match = await ctx.call('list_files', (signal) => findFiles(pattern, ctx.allowedPaths, signal));
      findings.push(...(await findingsOf(match, ctx.allowedPaths)));
    }
    return findings;
  },
});

/** The pages of one file, each read by its own guarded call. Ends early when the file was moved or truncated since the listing: the next run sorts that out. */
async function* pagesOf(
  ctx: ConnectorContext<LogsConfig>,
  work: FileWork,
  start: FileState,
): AsyncGenerator<FilePage, void, undefined> {
  const { format, min_severity: severityMin } = ctx.config;
  if (work.state.encoding === 'utf16') {
    if (work.fresh) yield utf16Page(start);
    return;
  }
  let state = start;
  if (work.size <= state.offset) return;
  for (let more = true; more && !ctx.signal.aborted;) {
    const page = await ctx.call('read_file', () =>
      withFile(state, ctx.allowedPaths, async (file) => {
        if (!(await isContinued(file.handle, file.size, state))) return undefined;
        return readPage(file, state, { format, severityMin, to: Math.min(work.size, file.size) });
      }),
    );
    if (page === undefined) return;
    ({ state, more } = page);
    yield page;
  }
}

function utf16Page(state: FileState): FilePage {
  return { events: [], state, skipped: { utf16: 1 }, more: false };
}

function pageWith(
  page: FilePage,
  listed: Readonly<Record<string, number>>,
): Pick<Page<JsonValue>, 'events' | 'skipped'> {
  const skipped = { ...listed };
  for (const [reason, count] of Object.entries(page.skipped)) skipped[reason] = (skipped[reason] ?? 0) + count;
  return { events: page.events, skipped };
}

async function findingsOf(match: PatternMatch, roots: readonly string[]): Promise<readonly CheckFinding[]> {
  const { pattern, fault } = match;
  if (fault !== undefined && fault.code !== 'source_missing') return [{ ok: false, message: fault.message, fault }];
  const refused = match.refused.map((one) => ({ ok: false, message: one.fault.message, fault: one.fault }));
  const unreadable: CheckFinding[] = [];
  for (const { path } of match.files.slice(0, LOGS_LIMITS.filesMax)) {
    const problem = await openFile(path, roots).then(
      async ({ handle }) => handle.close(),
      (error: unknown) => error,
    );
    if (problem instanceof Fault) unreadable.push({ ok: false, message: problem.message, fault: problem });
  }
  const readable = Math.min(match.files.length, LOGS_LIMITS.filesMax) - unreadable.length;
  const files = readable === 1 ? '1 file' : `${readable} files`;
  const over =
    match.files.length > LOGS_LIMITS.filesMax
      ? `; ${match.files.length - LOGS_LIMITS.filesMax} more are over the limit of ${LOGS_LIMITS.filesMax}`
      : '';
  const message =
    match.files.length === 0 ? `${pattern}: no file matches yet` : `${pattern}: ${files} can be read${over}`;
  return [{ ok: true, message }, ...refused, ...unreadable];
}

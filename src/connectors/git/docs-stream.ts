import assert from 'node:assert';
import {
  defineStream,
  Fault,
  type ConnectorContext,
  type EventDraft,
  type Page,
  type PullFailure,
} from '#sdk/index.ts';
import { openBlobReader, type BlobReader, type Content, type Size } from './blob-reader.ts';
import type { GitConfig } from './git-config.ts';
import {
  advanced,
  completed,
  DocsCursorSchema,
  nextWalk,
  positionOf,
  relisting,
  scopeOf,
  versionOf,
  type DocsCursor,
  type WalkingCursor,
} from './docs-cursor.ts';
import { deletionOf, documentOf, isKeyable, refusalOf, type DocumentOutcome, type DocumentSource } from './document.ts';
import { keyOfPath } from './git-path.ts';
import { openRepository, type Repository } from './repository.ts';
import { commitTimeOf, headOf, isPresent } from './revision.ts';
import { diffTrees, isAfter, listTree, type Plan, type Step } from './tree-diff.ts';

const PAGE_BYTES_MAX = 8 * 1024 * 1024; // of content held at once; a page ends early at it, but has at least one document

type Context = ConnectorContext<GitConfig>;
type DocsPage = Page<DocsCursor>;
type Upsert = Extract<Step, { op: 'upsert' }>;

export const docsStream = defineStream<GitConfig, DocsCursor>({
  title: 'Documents at the ref',
  cursor: DocsCursorSchema,
  pull: pullDocs,
  listIds: listDocs,
  deletedRatioMax: 1, // a tree is listed in full or not at all
});

async function* pullDocs(ctx: Context, from: DocsCursor | undefined): AsyncGenerator<DocsPage, void, undefined> {
  const repository = await repositoryOf(ctx);
  // Read once: a ref that moves meanwhile is met by the next pull.
  const head = await headOf(ctx, repository, ctx.config.ref, from !== undefined);
  if (head === undefined) return;
  const scope = scopeOf(repository);
  const blobs = openBlobReader(repository.gitDir);
  try {
    let cursor = from;
    // Ends: a walk begun here goes to `head`, so at most one unfinished walk and one relisting come before it.
    for (let walk = nextWalk(cursor, head, scope, ctx.clock.now()); walk !== undefined;) {
      const plan = await planOf(ctx, repository, walk);
      if (plan === undefined) walk = relisting(walk, head, scope, ctx.clock.now());
      else {
        cursor = yield* walkPages(ctx, repository, blobs, walk, plan);
        walk = nextWalk(cursor, head, scope, ctx.clock.now());
      }
    }
  } finally {
    blobs.close();
  }
}

/** Undefined when the commits of this walk are gone (garbage-collected, cut off in a shallow clone) and a listing of the head must do. */
async function planOf(ctx: Context, repository: Repository, { done, walk }: WalkingCursor): Promise<Plan | undefined> {
  if (walk.mode === 'diff') return done === null ? undefined : await diffTrees(ctx, repository, done, walk.target);
  const resumed = walk.after !== null;
  if (resumed && !(await isPresent(ctx, repository, `${walk.target}^{tree}`))) return undefined;
  const plan = await listTree(ctx, repository, walk.target);
  if (plan.steps.length === 0)
    ctx.log('warn', `no documents below ${keyOfPath(repository.folder) || 'the repository'} at ${walk.target}`);
  return plan;
}

async function* walkPages(
  ctx: Context,
  repository: Repository,
  blobs: BlobReader,
  start: WalkingCursor,
  plan: Plan,
): AsyncGenerator<DocsPage, DocsCursor, undefined> {
  const { target } = start.walk;
  const time = await commitTimeOf(ctx, repository, target);
  const source: DocumentSource = { repository, target, time, version: versionOf(start) };
  const total = plan.steps.length;
  const after = positionOf(start.walk);
  let at = after === undefined ? 0 : plan.steps.findIndex((step) => isAfter(step, after));
  if (at < 0) at = total;
  for (;;) {
    const page = await readPage(ctx, blobs, source, plan.steps.slice(at, at + ctx.batchSize));
    at += page.steps;
    const last = plan.steps[at - 1];
    if (at >= total || last === undefined) {
      const cursor = completed(start);
      // Counted with the last page only: a walk that is resumed counts them once.
      const skipped = summed(page.skipped, plan.skipped);
      yield { ...page.content, skipped, cursor, reconcile: start.walk.reconcile, progress: { done: total, total } };
      return cursor;
    }
    yield { ...page.content, skipped: page.skipped, cursor: advanced(start, last), progress: { done: at, total } };
  }
}

interface ReadPage {
  readonly content: { readonly events: readonly EventDraft[]; readonly failures: readonly PullFailure[] };
  readonly skipped: Readonly<Record<string, number>>;
  /** How many of the offered steps it covers. */
  readonly steps: number;
}

async function readPage(
  ctx: Context,
  blobs: BlobReader,
  source: DocumentSource,
  offered: readonly Step[],
): Promise<ReadPage> {
  const outcomes = await readDocuments(ctx, blobs, source, offered);
  const events: EventDraft[] = [];
  const failures: PullFailure[] = [];
  const skipped: Record<string, number> = {};
  const steps = offered.slice(0, outcomes.length);
  for (const [index, step] of steps.entries()) {
    if (step.op === 'delete') {
      if (isKeyable(step.path)) events.push(deletionOf(source, step.path));
      continue;
    }
    const outcome = outcomes[index];
    assert(outcome !== undefined, `no outcome for ${keyOfPath(step.path)}`);
    if (outcome.state === 'document') events.push(outcome.event);
    // A file that stopped being a document must not stay one. What cannot be read may still be the same: it stays.
    else if (step.replaces && (outcome.state === 'skipped' || outcome.state === 'too_large'))
      events.push(deletionOf(source, step.path));
    if (outcome.state === 'skipped' || outcome.state === 'too_large') {
      const reason = outcome.state === 'skipped' ? outcome.reason : outcome.state;
      skipped[reason] = (skipped[reason] ?? 0) + 1;
    }
    if ('failure' in outcome) failures.push(outcome.failure);
  }
  return { content: { events, failures }, skipped, steps: steps.length };
}

/** One outcome per step (undefined for deletes), for as many of the offered steps as fit into `PAGE_BYTES_MAX`. */
async function readDocuments(
  ctx: Context,
  blobs: BlobReader,
  source: DocumentSource,
  offered: readonly Step[],
): Promise<readonly (DocumentOutcome | undefined)[]> {
  const upserts = offered.filter((step) => step.op === 'upsert');
  if (upserts.length === 0) return offered.map(() => undefined);
  return await ctx.call('read_blobs', async (signal) => {
    const sizes = await blobs.sizes(
      upserts.map((step) => step.blob.id),
      signal,
    );
    // Upserts come before deletes, so a cut among them cuts the offered steps at the same place.
    const fitting = fittingOf(upserts, sizes);
    const wanted = fitting.filter(({ refusal }) => refusal === undefined);
    const contents = await blobs.contents(
      wanted.map(({ step }) => step.blob.id),
      signal,
    );
    const contentOf = new Map<Step, Content>(wanted.map(({ step }, index) => [step, contents[index] ?? 'unreadable']));
    const outcomes = fitting.map(
      ({ step, refusal }) => refusal ?? documentOf(source, step.path, step.blob, contentOf.get(step) ?? 'unreadable'),
    );
    const complete = fitting.length === upserts.length;
    return complete ? offered.map((_, index) => outcomes[index]) : outcomes;
  });
}

interface Fitting {
  readonly step: Upsert;
  readonly refusal: DocumentOutcome | undefined;
}

function fittingOf(upserts: readonly Upsert[], sizes: readonly Size[]): Fitting[] {
  const fitting: Fitting[] = [];
  let bytes = 0;
  for (const [index, step] of upserts.entries()) {
    const size = sizes[index] ?? 'unreadable';
    const refusal = refusalOf(step.path, step.blob, size);
    if (refusal === undefined && size !== 'unreadable') bytes += size.bytes;
    if (bytes > PAGE_BYTES_MAX && fitting.length > 0) break;
    fitting.push({ step, refusal });
  }
  return fitting;
}

/** The keys of all documents at the commit that was delivered last, judged by content exactly as a walk does. */
async function* listDocs(ctx: Context, cursor: DocsCursor): AsyncGenerator<readonly string[], void, undefined> {
  const repository = await repositoryOf(ctx);
  const sha = cursor.done;
  if (sha === null || cursor.walk !== null || cursor.scope !== scopeOf(repository)) {
    throw new Fault(
      'source_invalid',
      `${repository.gitDir}: the walk to its newest commit is not complete, so nothing can be listed yet`,
    );
  }
  const { steps } = await listTree(ctx, repository, sha);
  const source: DocumentSource = { repository, target: sha, time: '', version: 0 };
  const blobs = openBlobReader(repository.gitDir);
  try {
    for (let at = 0; at < steps.length;) {
      const outcomes = await readDocuments(ctx, blobs, source, steps.slice(at, at + ctx.batchSize));
      const there = outcomes.flatMap((outcome, index) => {
        const path = steps[at + index]?.path;
        const isThere = outcome?.state === 'document' || outcome?.state === 'unreadable';
        return isThere && path !== undefined ? [keyOfPath(path)] : [];
      });
      at += outcomes.length;
      yield there;
    }
  } finally {
    blobs.close();
  }
}

async function repositoryOf(ctx: Context): Promise<Repository> {
  const { path, docs_path: docsPath } = ctx.config;
  return await ctx.call('open_repository', async () => await openRepository(path, docsPath, ctx.allowedPaths));
}

function summed(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sum: Record<string, number> = { ...a };
  for (const [reason, count] of Object.entries(b)) sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
}

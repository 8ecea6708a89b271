import {
  EVENT_LIMITS,
  toPlainLine,
  versionOfCounter,
  type Clock,
  type EventDraft,
  type PullFailure,
} from '#sdk/index.ts';
import type { BlobReader } from './blob-reader.ts';
import { urlPathOf } from './git-path.ts';
import { gitFault, runGit } from './git-process.ts';
import type { Repository } from './repository.ts';
import { timeOfSeconds } from './revision.ts';
import { decodeText } from './text-decoding.ts';

const COMMIT_BYTES_MAX = 1024 * 1024; // message and headers; more becomes a dead letter unread
const STATISTICS_WAIT_MS = 20_000; // counting lines reads every changed file: a huge commit goes without its counts
const AUTHOR_CHARS_MAX = 200;
const PARENTS_MAX = 100;
const FIELDS = ['%H', '%P', '%an', '%ct', '%s', '%b'];

export interface CommitPage {
  readonly events: readonly EventDraft[];
  readonly failures: readonly PullFailure[];
}

/** Commits → signals, in the order of `shas`. Line counts are left out when they cannot be had in time or from this clone. */
export async function readCommits(
  repository: Repository,
  clock: Clock,
  objects: BlobReader,
  shas: readonly string[],
  signal: AbortSignal,
): Promise<CommitPage> {
  const sizes = await objects.sizes(shas, signal);
  const failures: PullFailure[] = [];
  const readable = shas.filter((sha, index) => {
    const size = sizes[index] ?? 'unreadable';
    if (size === 'unreadable')
      failures.push({ key: sha, code: 'record_invalid', message: `commit ${sha} is damaged; run git fsck` });
    else if (size.bytes > COMMIT_BYTES_MAX) {
      const message = `commit ${sha} has a message of ${size.bytes} bytes; at most ${COMMIT_BYTES_MAX} are read`;
      failures.push({ key: sha, code: 'record_too_large', message });
    } else return true;
    return false;
  });
  if (readable.length === 0) return { events: [], failures };
  const output =
    (await logWithin(clock, repository, readable, signal)) ?? (await logOf(repository, readable, [], signal));
  const parsed = new Map(parseLog(output).map((commit) => [commit.sha, commit]));
  const events = readable.flatMap((sha) => {
    const commit = parsed.get(sha);
    return commit === undefined ? [] : [signalOf(repository, commit)];
  });
  return { events, failures };
}

/** The log with line counts; undefined when they take longer than `STATISTICS_WAIT_MS` or a blob is not in this clone. */
async function logWithin(
  clock: Clock,
  repository: Repository,
  shas: readonly string[],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const deadline = new AbortController();
  const settled = new AbortController();
  const waiting = clock.sleep(STATISTICS_WAIT_MS, settled.signal).then(() => deadline.abort());
  try {
    return await logOf(repository, shas, ['--shortstat'], AbortSignal.any([signal, deadline.signal]));
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  } finally {
    settled.abort();
    await waiting;
  }
}

async function logOf(
  repository: Repository,
  shas: readonly string[],
  options: readonly string[],
  signal: AbortSignal,
): Promise<Buffer> {
  const fixed = [
    '--no-walk=unsorted',
    '--stdin',
    '--no-mailmap',
    '--no-show-signature',
    '--encoding=UTF-8',
    '--no-color',
  ];
  const diffs = ['--no-ext-diff', '--no-textconv', '--no-renames', '--ignore-submodules=none', '--no-diff-merges'];
  const format = `--format=tformat:${FIELDS.map((field) => `${field}%x00`).join('')}`;
  const args = ['log', ...fixed, ...diffs, ...options, format];
  const { gitDir } = repository;
  const { code, output, stderr } = await runGit({
    gitDir,
    args,
    signal,
    input: shas.map((sha) => `${sha}\n`).join(''),
  });
  if (code !== 0) throw gitFault(gitDir, stderr);
  return output;
}

interface ParsedCommit {
  readonly sha: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly time: string;
  readonly subject: string;
  readonly body: string;
  readonly changed: Readonly<Record<'files_changed' | 'insertions' | 'deletions', number>> | undefined;
}

/** Fields end in NUL, which no commit can contain; the counts stand between one commit's last field and the next one's id. */
export function parseLog(output: Buffer): ParsedCommit[] {
  const fields = splitAtNul(output);
  const commits: ParsedCommit[] = [];
  for (let at = 0; at + FIELDS.length < fields.length; at += FIELDS.length) {
    const [head, parents, author, seconds, subject, body, after] = fields.slice(at, at + FIELDS.length + 1);
    commits.push({
      sha: /[0-9a-f]+$/.exec(textOf(head))?.[0] ?? '',
      parents: textOf(parents)
        .split(' ')
        .filter((parent) => parent !== ''),
      author: textOf(author),
      time: timeOfSeconds(textOf(seconds)),
      subject: textOf(subject),
      body: textOf(body).trimEnd(),
      changed: countsOf(textOf(after)),
    });
  }
  return commits;
}

function countsOf(after: string): ParsedCommit['changed'] {
  const count = (pattern: RegExp): number => Number(pattern.exec(after)?.[1] ?? 0);
  const files = /(\d+) files? changed/.exec(after)?.[1];
  if (files === undefined) return undefined;
  return { files_changed: Number(files), insertions: count(/(\d+) insertion/), deletions: count(/(\d+) deletion/) };
}

function signalOf(repository: Repository, commit: ParsedCommit): EventDraft {
  const { sha, parents, changed, time } = commit;
  const author = toPlainLine(commit.author, AUTHOR_CHARS_MAX);
  const tags = [...(parents.length > 1 ? ['merge'] : []), ...(commit.subject.startsWith('Revert "') ? ['revert'] : [])];
  const place = urlPathOf(Buffer.from(repository.workTree ?? repository.gitDir, 'utf8').toString('latin1'));
  const url = `git:${place}@${sha}`;
  return {
    kind: 'signal',
    op: 'upsert',
    key: sha,
    version: versionOfCounter(1), // a commit never changes: seen again, it is the same event
    time,
    severity: 'low',
    title: toPlainLine(commit.subject, EVENT_LIMITS.titleCharsMax) || '(no message)',
    ...(url.length <= EVENT_LIMITS.urlCharsMax ? { url } : {}),
    tags,
    text: commit.body,
    context: { commit: sha },
    data: { sha, parents: parents.slice(0, PARENTS_MAX), author, ...changed },
  };
}

function splitAtNul(output: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  let from = 0;
  for (let nul = output.indexOf(0); nul >= 0; nul = output.indexOf(0, from)) {
    fields.push(output.subarray(from, nul));
    from = nul + 1;
  }
  return [...fields, output.subarray(from)];
}

function textOf(field: Buffer | undefined): string {
  return decodeText(field ?? Buffer.alloc(0))?.text ?? '';
}

import { Fault } from '#sdk/index.ts';
import { byteReader, type ByteReader } from './byte-reader.ts';
import { gitFault, notStarted, startGit, type GitProcess } from './git-process.ts';

const HEADER_BYTES_MAX = 1024; // `<id> <type> <size>`
const DAMAGED_MAX = 100; // objects of one page at which git dies; each costs a new process, so more means the repository itself is ill

export type Size = { readonly bytes: number } | 'unreadable';
export type Content = Buffer | 'unreadable';

export interface BlobReader {
  /** Sizes from the object headers, without reading content. In the order of `ids`. */
  sizes(ids: readonly string[], signal: AbortSignal): Promise<readonly Size[]>;
  /** Contents. Ask only for what `sizes` found small enough: everything asked for is held at once. In the order of `ids`. */
  contents(ids: readonly string[], signal: AbortSignal): Promise<readonly Content[]>;
  close(): void;
}

/**
 * Two long-lived git processes that answer ids with sizes and with contents, started at first use: thousands of documents cost two
 * starts. Not for concurrent callers. Missing objects (partial clone) and damaged ones are `unreadable`; anything else that ends
 * git throws.
 */
export function openBlobReader(gitDir: string): BlobReader {
  const checker = answering(gitDir, '--batch-check', (_, bytes) => Promise.resolve({ bytes }));
  const reader = answering(gitDir, '--batch', async (from, bytes) => {
    const content = await from.take(bytes + 1); // a line feed follows
    return content?.subarray(0, bytes);
  });
  return {
    sizes: checker.ask,
    contents: reader.ask,
    close() {
      checker.close();
      reader.close();
    },
  };
}

interface Running {
  readonly git: GitProcess;
  readonly from: ByteReader;
}

type Payload<T> = (from: ByteReader, bytes: number) => Promise<T | undefined>;

function answering<T>(gitDir: string, mode: '--batch' | '--batch-check', payload: Payload<T>) {
  let running: Running | undefined;

  const close = (): void => {
    running?.git.kill();
    running = undefined;
  };
  const start = (): Running => {
    const git = startGit(gitDir, ['cat-file', mode]);
    return { git, from: byteReader(git.child.stdout) };
  };
  // One answer, or undefined when the process ended instead of giving it.
  const answer = async (from: ByteReader): Promise<T | 'unreadable' | undefined> => {
    const header = await from.takeLine(HEADER_BYTES_MAX);
    if (header === undefined) return undefined;
    const bytes = /^[0-9a-f]+ \w+ (\d+)$/.exec(header)?.[1];
    return bytes === undefined ? 'unreadable' : await payload(from, Number(bytes));
  };
  const ask = async (ids: readonly string[], signal: AbortSignal): Promise<readonly (T | 'unreadable')[]> => {
    const answers: (T | 'unreadable')[] = [];
    signal.addEventListener('abort', close, { once: true });
    try {
      for (let damaged = 0; answers.length < ids.length; damaged += 1) {
        signal.throwIfAborted();
        const { git, from } = (running ??= start());
        git.child.stdin.write(
          ids
            .slice(answers.length)
            .map((id) => `${id}\n`)
            .join(''),
        );
        while (answers.length < ids.length) {
          const got = await answer(from);
          if (got === undefined) break;
          answers.push(got);
        }
        const id = ids[answers.length];
        if (id === undefined) break;
        running = undefined;
        signal.throwIfAborted();
        if (damaged >= DAMAGED_MAX)
          throw new Fault('bad_upstream', `${gitDir}: more than ${DAMAGED_MAX} damaged objects; run git fsck`);
        await blame(git, gitDir, id);
        answers.push('unreadable');
      }
      return answers;
    } finally {
      signal.removeEventListener('abort', close);
    }
  };
  return { ask, close };
}

/** Git dies at a damaged object and names it. Resolves when it did so for `id`; throws for any other end. */
async function blame(git: GitProcess, gitDir: string, id: string): Promise<void> {
  git.child.stdin.end();
  const { code, error } = await git.ended;
  if (error !== undefined) throw notStarted(error);
  if (code === null) throw new Fault('upstream_unavailable', 'git cat-file was killed before it was done');
  if (code !== 128 || !git.stderr().includes(id)) throw gitFault(gitDir, git.stderr());
}

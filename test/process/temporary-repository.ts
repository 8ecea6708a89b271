import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const AUTHOR = 'Ada <ada@example.com> 1767225600 +0000';
const ENV = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

export interface TemporaryRepository {
  /** A folder with `weir.yaml` and, below `repo/`, the repository it reads. */
  readonly folder: string;
  readonly repo: string;
  git(...args: string[]): string;
  write(path: string, text: string): void;
  remove(): void;
}

export function temporaryRepository(weirYaml: string = GIT_ONLY): TemporaryRepository {
  const folder = mkdtempSync(join(tmpdir(), 'weir-process-'));
  const repo = join(folder, 'repo');
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', repo, ...args], { env: ENV, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  execFileSync('git', ['init', '-q', '-b', 'main', repo], { env: ENV });
  writeFileSync(join(folder, 'weir.yaml'), weirYaml);
  return {
    folder,
    repo,
    git,
    write: (path, text) => writeFileSync(join(repo, path), text),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const GIT_ONLY = `
connectors:
  git:
    poll_interval_seconds: 3600
    metadata: { path: repo, commits: false }
`;

/** Fills the repository with `count` committed documents in one go; each holds its own word `doc<number>x`. */
export function commitDocuments(repo: TemporaryRepository, count: number, textOf = documentText): void {
  const files = Array.from({ length: count }, (_, index) => {
    const text = textOf(index);
    return `M 644 inline docs/d${Math.floor(index / 200)}/document-${index}.md\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  });
  const stream = `commit refs/heads/main\ncommitter ${AUTHOR}\ndata 5\nmany\n\n${files.join('')}\n`;
  execFileSync('git', ['-C', repo.repo, 'fast-import', '--quiet'], { input: stream, env: ENV });
}

export function documentText(index: number): string {
  return `# Document ${index}\n\nThe word doc${index}x stands here. ${'Rivers carry what falls into them. '.repeat(20)}\n`;
}

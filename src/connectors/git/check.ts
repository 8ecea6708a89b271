import { type CheckFinding, type ConnectorContext, Fault, toFault } from '#sdk/index.ts';
import type { GitConfig } from './git-config.ts';
import { runGitOk } from './git-process.ts';
import { openRepository, type Repository } from './repository.ts';
import { isWithoutCommits, refMissing, resolveRef } from './revision.ts';

// GIT_CONFIG_GLOBAL came with 2.32: an older git would obey the configuration of the user Weir runs as.
const VERSION_MIN = [2, 32] as const;

type Context = ConnectorContext<GitConfig>;

/** Looks at git, the repository, the ref and the folder, in this order; stops at the first that is wrong, as the rest depends on it. */
export async function checkRepository(ctx: Context): Promise<readonly CheckFinding[]> {
  const findings: CheckFinding[] = [];
  try {
    findings.push({ ok: true, message: await gitFinding(ctx) });
    const { path, docs_path: docsPath, ref } = ctx.config;
    const repository = await ctx.call(
      'open_repository',
      async () => await openRepository(path, docsPath, ctx.allowedPaths),
    );
    const kind = repository.workTree === undefined ? 'bare repository' : 'repository';
    findings.push({ ok: true, message: `${path} is a ${kind}, read from ${repository.gitDir}.` });
    const sha = await resolveRef(ctx, repository, ref);
    if (sha === undefined) findings.push(await withoutRef(ctx, repository, ref));
    else {
      findings.push({ ok: true, message: `${ref} is at commit ${sha.slice(0, 12)}.` });
      findings.push(await folderFinding(ctx, repository, sha, ref));
    }
  } catch (error) {
    const fault = toFault(error);
    if (fault.code === 'cancelled') throw error;
    findings.push({ ok: false, message: `${fault.message}.`, fault });
  }
  return findings;
}

async function gitFinding(ctx: Context): Promise<string> {
  const answer = await ctx.call('git_version', async (signal) => await runGitOk({ args: ['--version'], signal }));
  const version = /\d+\.\d+(?:\.\d+)?/.exec(answer.toString('latin1'))?.[0] ?? '0.0';
  if (isOlder(version))
    throw new Fault('tool_missing', `git ${version} is too old; ${VERSION_MIN.join('.')} or newer is needed`);
  return `git ${version} is installed.`;
}

export function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
}

async function withoutRef(ctx: Context, repository: Repository, ref: string): Promise<CheckFinding> {
  if (await isWithoutCommits(ctx, repository))
    return { ok: true, message: `${repository.gitDir} has no commit yet: nothing to sync.` };
  const fault = refMissing(ctx, repository, ref);
  return { ok: false, message: `${fault.message}.`, fault };
}

async function folderFinding(ctx: Context, repository: Repository, sha: string, ref: string): Promise<CheckFinding> {
  if (repository.folder === '') return { ok: true, message: 'Documents are taken from the whole repository.' };
  const folder = Buffer.from(repository.folder, 'latin1').toString('utf8');
  const listed = await ctx.call('list_files', async (signal) => {
    return await runGitOk({
      gitDir: repository.gitDir,
      args: ['ls-tree', '-d', '-z', '--full-tree', sha, '--', folder],
      signal,
    });
  });
  if (listed.toString('latin1').startsWith('040000 '))
    return { ok: true, message: `Documents are taken from ${folder}/.` };
  const fault = new Fault('source_missing', `${ref} has no folder ${folder}; correct metadata.docs_path`, {
    details: { connection: ctx.connection },
  });
  return { ok: false, message: `${fault.message}.`, fault };
}

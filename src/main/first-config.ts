import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { defaultConfigText } from '#config/default-config.ts';
import { Fault } from '#core/fault.ts';

const LOG_FILE = '.weir/logs/weir.log';

/** Writes the commented weir.yaml of a first start: what this machine offers without any account. Never overwrites. */
export function writeFirstConfig(file: string, installation: string): string {
  const directory = dirname(file);
  const repository = repositoryAbove(directory) ?? repositoryAbove(installation);
  const outside = repository !== undefined && relative(directory, repository).startsWith('..');
  const schema = join(installation, 'schema', 'weir.schema.json');
  const text = defaultConfigText({
    ...(directory === installation && existsSync(schema) ? { schemaPath: './schema/weir.schema.json' } : {}),
    repositoryPath: repository === undefined ? '.' : outside ? repository : relative(directory, repository) || '.',
    docsPath: '',
    logsPath: `${LOG_FILE}*`,
    logFile: LOG_FILE,
    ...(outside ? { allowedPaths: [repository] } : {}),
  });
  try {
    // `wx`: a file that appeared since is somebody's work.
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new Fault('input_invalid', `${file} is there already; nothing was changed`, { cause: error });
    throw new Fault('storage_unreachable', `${file} cannot be written`, {
      cause: error,
      details: { place: directory },
    });
  }
  return text;
}

function repositoryAbove(directory: string): string | undefined {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return undefined;
  }
}

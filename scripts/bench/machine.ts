import { statfsSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';

const GIB = 1024 ** 3;
const TMPFS_MAGIC = 0x01021994; // statfs(2): a file system in memory, where fsync costs nothing

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly node: string;
  readonly sqlite: string;
  readonly disk: 'disk' | 'memory';
}

/** What the figures were measured on. */
export function describeMachine(): Machine {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / GIB),
    node: process.versions.node,
    sqlite: process.versions.sqlite ?? 'unknown',
    disk: statfsSync(tmpdir()).type === TMPFS_MAGIC ? 'memory' : 'disk',
  };
}

export function machineLine({ cores, cpu, memoryGib, node, sqlite, disk }: Machine): string {
  const warning =
    disk === 'memory' ? ' · WARNING: the temporary folder is in memory, fsync costs nothing there (set TMPDIR)' : '';
  return `${cores} cores (${cpu}), ${memoryGib} GiB · Node ${node} · SQLite ${sqlite}${warning}`;
}

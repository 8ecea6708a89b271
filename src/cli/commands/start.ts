import type { CliHost, StartFlags } from '../host.ts';

export function start(host: CliHost, flags: StartFlags): Promise<number> {
  return host.start(flags);
}

import { getWorkerLag } from '#operations/worker-lag.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { withSession } from './with-session.ts';

export function lag(host: CliHost, flags: GlobalFlags): Promise<number> {
  return withSession(
    host,
    flags,
    async (session) => {
      const answer = await session.call(getWorkerLag, {});
      const { terminal } = host;
      if (terminal.json) terminal.document(answer);
      else if (answer.lag_seconds === null) terminal.line('No worker has run on this data directory yet.');
      else
        terminal.line(
          `Last heartbeat ${answer.lag_seconds} s ago (process ${answer.pid ?? 'unknown'}, limit ${answer.limit_seconds} s): ${answer.alive ? 'alive' : 'late'}.`,
        );
      return answer.alive ? EXIT.done : EXIT.unwell;
    },
    'heartbeat',
  );
}

import { resetCircuit } from '#operations/reset-circuit.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { withSession } from './with-session.ts';

const NAME_CHARS_MAX = 500;

/** `weir reset <name> circuit`; what may follow the name is checked where arguments are declared. */
export function reset(host: CliHost, flags: GlobalFlags, name: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(resetCircuit, { name });
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else
      terminal.line(
        `${terminal.fit(answer.connector, NAME_CHARS_MAX)}: circuit ${answer.circuit_state.replace('_', '-')}, was ${answer.circuit_before.replace('_', '-')}`,
      );
    return EXIT.done;
  });
}

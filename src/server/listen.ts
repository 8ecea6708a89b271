import type { FastifyInstance } from 'fastify';
import { Fault } from '#core/fault.ts';
import { isLoopback } from './host-check.ts';
import { SERVER_LIMITS } from './server-limits.ts';

const PORT_MAX = 65_535;

export interface Wanted {
  readonly host: string;
  readonly port: number;
  readonly portFixed: boolean;
}

/** The address to bind. Throws `host_refused` for anything that others could reach: there are no API tokens to tell them apart. */
export function bindHostOf(host: string): string {
  if (!isLoopback(host)) {
    throw new Fault(
      'host_refused',
      `${host === '' ? 'an empty host' : host} can be reached by other machines, and Weir has no API tokens yet to tell them apart`,
    );
  }
  // `localhost` may resolve to two addresses, of which another program can own one: bind, print and mean a single one.
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host.toLowerCase();
}

/** Binds the asked port, or when it was not asked for by name the next free one. Returns the port. Throws `port_busy`, `host_refused`. */
export async function listenOn(app: FastifyInstance, { host, port, portFixed }: Wanted): Promise<number> {
  const tries = portFixed || port === 0 ? 1 : Math.min(SERVER_LIMITS.portsTriedMax, PORT_MAX - port + 1);
  for (let offset = 0; offset < tries; offset += 1) {
    try {
      await app.listen({ host, port: port + offset });
      const address = app.server.address();
      return typeof address === 'object' && address !== null ? address.port : port + offset;
    } catch (error) {
      // Node's errors carry a code; what has none is passed on.
      const { code } = error as { code?: unknown };
      if (code === 'EADDRNOTAVAIL')
        throw new Fault('host_refused', `${host} is no address of this machine`, { cause: error });
      if (code === 'EACCES')
        throw new Fault('port_busy', `port ${port + offset} on ${host} may not be opened by this user`, {
          cause: error,
        });
      if (code !== 'EADDRINUSE') throw error;
    }
  }
  const range = tries === 1 ? `port ${port} on ${host} is` : `ports ${port} to ${port + tries - 1} on ${host} are`;
  throw new Fault('port_busy', `${range} in use by another program`);
}

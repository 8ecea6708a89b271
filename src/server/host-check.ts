import { Fault } from '#core/fault.ts';

const LOOPBACK_NAME = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;
const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::(\d{1,5}))?$/;
const HTTP_PORT = 80; // what a Host without a port means

/** Whether an address or name given with --host stays on this machine. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_NAME.test(host.toLowerCase());
}

/** How a host stands in a URL: IPv6 addresses in brackets. */
export function authorityHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

export interface RequestOrigin {
  /** Every Host header of the request: more than one is a trick. */
  readonly hosts: readonly string[];
  readonly origin: string | undefined;
}

/**
 * A page of another site can make a browser on this machine send requests to loopback, and with DNS rebinding under a name of
 * its own. So the Host must be ours, and an Origin, when a browser sends one, the same (T52, T53). Throws `origin_refused`.
 */
export function checkOrigin(
  { hosts, origin }: RequestOrigin,
  bound: { readonly host: string; readonly port: number },
): void {
  const [only] = hosts;
  if (only === undefined || hosts.length > 1)
    throw new Fault('origin_refused', 'the request must have exactly one Host header');
  const host = only.toLowerCase();
  const [, name, port] = AUTHORITY.exec(host) ?? [];
  const ours =
    name !== undefined &&
    (isLoopback(name.replace(/^\[|\]$/g, '')) || name === authorityHost(bound.host.toLowerCase()));
  if (!ours || Number(port ?? HTTP_PORT) !== bound.port)
    throw new Fault('origin_refused', 'the Host header does not name this server');
  if (origin !== undefined && origin.toLowerCase() !== `http://${host}`)
    throw new Fault('origin_refused', 'the Origin header names another site');
}

// Which addresses a connection may call. URLs come from configuration and from answers of other systems, so both the
// spelling (after the URL parser has folded it) and the address that is connected to in the end are checked (T22 to T25).

import { isIP } from 'node:net';
import { Fault } from '#core/fault.ts';
import { addressClassOf } from './address-class.ts';

export const EGRESS_LIMITS = {
  urlCharsMax: 8_192, // longer ones are refused: servers refuse them too
} as const;

export interface EgressOptions {
  /** For messages. */
  readonly connection: string;
  /** Loopback and internal networks may be called, and over plain http. Metadata services may not, even then. */
  readonly allowPrivateAddresses: boolean;
}

/** Every refusal is `egress_blocked`: nothing was sent. */
export interface EgressPolicy {
  /** Called with each text before a request and each target of a redirect. Returns it normalised. */
  checkUrl(text: string): URL;
  /** Called with every address a name resolves to, and again with the one that was connected to. */
  checkAddress(address: string, protocol: string): void;
}

const PUBLIC_PORTS: ReadonlySet<string> = new Set(['', '443', '8443']);
/** On internal networks servers listen anywhere; these speak other protocols that a request could be smuggled into. */
const FOREIGN_PORTS: ReadonlySet<number> = new Set([
  1433, 1521, 1883, 2049, 2181, 2375, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 6000, 6379, 6380, 6443, 9042,
  9092, 10250, 11211, 26379, 27017, 27018,
]);
const SYSTEM_PORT_MAX = 1_023;
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'instance-data',
  'instance-data.ec2.internal',
]);
const REFUSED_CHARACTERS = /[\u0000-\u0020\u007f\\]/; // the parser drops or turns them, and others read the text otherwise

export function createEgressPolicy({ connection, allowPrivateAddresses }: EgressOptions): EgressPolicy {
  const refuse = (what: string): never => {
    throw new Fault('egress_blocked', `${connection} may not call ${what}`, { details: { connection } });
  };

  const checkAddress = (address: string, protocol: string): void => {
    const kind = addressClassOf(address);
    if (kind === 'refused') refuse(`${address}: it is no address of a server on the Internet`);
    if (kind === 'private' && !allowPrivateAddresses) refuse(`${address}: it is inside a private network`);
    if (kind === 'public' && protocol !== 'https:') refuse(`${address} over plain http`);
  };

  const checkHost = (url: URL): void => {
    const host = url.hostname.replace(/\.+$/, '');
    if (host === '') refuse('an address without a host');
    // Names are looked up at connect; literals never are, so they are checked here.
    if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) {
      checkAddress(host, url.protocol);
      return;
    }
    if (METADATA_NAMES.has(host)) refuse(`${host}: it is a metadata service`);
    if (!allowPrivateAddresses && (host === 'localhost' || host.endsWith('.localhost')))
      refuse(`${host}: it is this machine`);
  };

  const checkPort = (url: URL): void => {
    if (PUBLIC_PORTS.has(url.port)) return;
    const port = Number(url.port);
    const usual = port > SYSTEM_PORT_MAX ? !FOREIGN_PORTS.has(port) : port === 80;
    if (!allowPrivateAddresses || !usual) refuse(`port ${url.port} of ${url.hostname}`);
  };

  return {
    checkAddress,
    checkUrl(text) {
      if (text.length > EGRESS_LIMITS.urlCharsMax) refuse(`a URL of more than ${EGRESS_LIMITS.urlCharsMax} characters`);
      if (REFUSED_CHARACTERS.test(text)) refuse('a URL with spaces, control characters or backslashes in it');
      const url = URL.parse(text);
      if (url === null) return refuse('what is no URL');
      if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowPrivateAddresses))
        refuse(`${url.protocol} addresses: only https: is allowed`);
      if (url.username !== '' || url.password !== '') refuse('a URL that carries a user name or password');
      checkHost(url);
      checkPort(url);
      return url;
    },
  };
}

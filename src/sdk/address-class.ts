// Which part of the Internet an address belongs to, by the registries of special-purpose addresses (RFC 6890) and the
// fixed addresses of cloud metadata services. An IPv6 form that carries an IPv4 address is judged by what it carries.

import { BlockList, isIP } from 'node:net';

/**
 * `private`: loopback and internal networks, for connections that are allowed to call them. `refused`: never a server of
 * anybody's API: metadata services, link-local, multicast, unspecified, reserved, documentation.
 */
export type AddressClass = 'public' | 'private' | 'refused';

const PRIVATE_V4 = [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const;

const REFUSED_V4 = [
  ['0.0.0.0', 8],
  ['100.100.100.200', 32], // metadata of Alibaba Cloud, inside the private 100.64/10
  ['168.63.129.16', 32], // wire server of Azure
  ['169.254.0.0', 16], // link-local, metadata of most clouds
  ['192.0.0.0', 24], // metadata of Oracle Cloud among them
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3], // multicast, reserved, broadcast
] as const;

const refusedV4 = blockListOf(REFUSED_V4);
const privateV4 = blockListOf(PRIVATE_V4);

/** Total: what is no address is refused. */
export function addressClassOf(address: string): AddressClass {
  const bare = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 4) return classOfV4(bare);
  return family === 6 ? classOfV6(groupsOf(bare)) : 'refused';
}

function classOfV4(address: string): AddressClass {
  if (refusedV4.check(address)) return 'refused';
  return privateV4.check(address) ? 'private' : 'public';
}

function classOfV6(groups: readonly number[]): AddressClass {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const startsWith = (...head: number[]): boolean => head.every((group, i) => groups[i] === group);
  if (startsWith(0, 0, 0, 0, 0, 0, 0) && h === 1) return 'private';
  if (startsWith(0, 0, 0, 0, 0, 0xffff)) return classOfV4(v4Of(g, h)); // mapped
  if (startsWith(0, 0, 0, 0, 0, 0)) return embedded(g, h); // compatible, RFC 4291; `::` ends as 0.0.0.0
  if (startsWith(0, 0, 0, 0, 0xffff, 0)) return embedded(g, h); // translated, RFC 2765
  if (startsWith(0x64, 0xff9b, 0, 0, 0, 0)) return classOfV4(v4Of(g, h)); // NAT64
  if (startsWith(0x64, 0xff9b)) return 'refused'; // NAT64 of a local prefix: where it leads is not in the address
  if (a === 0x2002) return embedded(b, c); // 6to4
  if (startsWith(0x2001, 0)) return 'refused'; // Teredo: both ends of the tunnel are in it
  if ((e & 0xfdff) === 0 && f === 0x5efe) return embedded(g, h); // ISATAP
  if (startsWith(0xfd00, 0xec2) && [c, d, e, f, g].every((group) => group === 0) && h === 0x254) return 'refused'; // metadata of AWS
  if (startsWith(0xfd20, 0xce) && h === 0x254) return 'refused'; // metadata of Google Cloud
  if ((a & 0xfe00) === 0xfc00 || (a & 0xffc0) === 0xfec0) return 'private'; // unique local, and site-local before it
  if (startsWith(0x2001, 0xdb8) || (a === 0x3fff && b < 0x1000) || (a === 0x2001 && b < 0x200)) return 'refused';
  return (a & 0xe000) === 0x2000 ? 'public' : 'refused'; // only 2000::/3 is given out
}

/** The old tunnels are gone from the Internet: what such an address carries can make it worse, never better than private. */
function embedded(high: number, low: number): AddressClass {
  return classOfV4(v4Of(high, low)) === 'private' ? 'private' : 'refused';
}

function v4Of(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** Eight numbers of a text that `isIP` has accepted. */
function groupsOf(address: string): number[] {
  const hex = address.replace(/\d+\.\d+\.\d+\.\d+$/, (tail) => {
    const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = hex.split('::', 2);
  const parse = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  const right = parse(tail ?? '');
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

function blockListOf(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, 'ipv4');
  return list;
}

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { addressClassOf } from './address-class.ts';
import { createEgressPolicy, EGRESS_LIMITS } from './http-egress.ts';

const strict = createEgressPolicy({ connection: 'sample', allowPrivateAddresses: false });
const open = createEgressPolicy({ connection: 'sample', allowPrivateAddresses: true });

function isBlocked(check: () => unknown): boolean {
  try {
    check();
    return false;
  } catch (error) {
    return error instanceof Fault && error.code === 'egress_blocked';
  }
}

/** Refused by default, allowed (over http, on an unusual port) when the connection may call private networks. */
const PRIVATE = [
  'http://127.0.0.1/',
  'https://127.0.0.1/',
  'https://127.1/',
  'https://127.0.1/',
  'https://0x7f.1/',
  'https://0x7f000001/',
  'https://2130706433/',
  'https://017700000001/',
  'https://0177.0.0.1/',
  'https://127.0.0.1./',
  'https://127.255.255.254/',
  'https://①②⑦.0.0.1/',
  'https://127。0。0。1/',
  'https://%31%32%37.0.0.1/',
  'https://localhost/',
  'https://LOCALHOST/',
  'https://localhost./',
  'https://ｌｏｃａｌｈｏｓｔ/',
  'https://api.localhost/',
  'https://10.0.0.1/',
  'https://10.255.255.255/',
  'https://012.0.0.1/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://0xc0a80101/',
  'https://100.64.0.1/',
  'https://100.127.255.255/',
  'https://[::1]/',
  'https://[0:0:0:0:0:0:0:1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::127.0.0.1]/',
  'https://[64:ff9b::a00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[2002:c0a8:101::1]/',
  'https://[::ffff:0:127.0.0.1]/',
  'https://[2001:4860::5efe:10.0.0.1]/',
  'https://[fc00::1]/',
  'https://[fd12:3456::1]/',
  'https://[fec0::1]/',
];

/** Refused whatever the connection may do. */
const REFUSED = [
  'https://169.254.169.254/latest/meta-data/',
  'https://0xa9fea9fe/',
  'https://2852039166/',
  'https://169。254。169。254/',
  'https://[::ffff:169.254.169.254]/',
  'https://[64:ff9b::a9fe:a9fe]/',
  'https://[64:ff9b:1::a9fe:a9fe]/',
  'https://[2002:a9fe:a9fe::]/',
  'https://[fd00:ec2::254]/',
  'https://100.100.100.200/',
  'https://168.63.129.16/',
  'https://192.0.0.192/',
  'https://metadata.google.internal/',
  'https://METADATA.google.internal./',
  'https://metadata/',
  'https://0/',
  'https://0.0.0.0/',
  'https://[::]/',
  'https://[fe80::1]/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://240.0.0.1/',
  'https://198.18.0.1/',
  'https://203.0.113.1/',
  'https://[ff02::1]/',
  'https://[2001:db8::1]/',
  'https://[2001::1]/',
  'https://[100::1]/',
  'https://good.example@127.0.0.1/',
  'https://user:secret@api.example/',
  'https://127.0.0.1\\@good.example/',
  'https://api.example/a b',
  'https://api.exa\nmple/',
  ' https://api.example/',
  'https://api.example:22/',
  'https://api.example:25/',
  'https://api.example:6379/',
  'https://127.0.0.1:6379/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_x',
  'data:text/plain,x',
  'ftp://api.example/',
  'ws://api.example/',
  'javascript:1',
  'https://',
  'api.example',
  '',
  'http://8.8.8.8/',
];

const PUBLIC = [
  'https://api.github.com/repos',
  'https://api.example:443/',
  'https://api.example:8443/',
  'https://8.8.8.8/',
  'https://172.15.0.1/',
  'https://172.32.0.1/',
  'https://100.63.0.1/',
  'https://[2606:4700::1111]/',
  'https://[64:ff9b::808:808]/',
  'https://[::ffff:8.8.8.8]/',
  'https://bücher.example/',
];

describe('where a connection may call', () => {
  test.each(PRIVATE)('%s is called only by a connection that may call private networks', (url) => {
    expect(isBlocked(() => strict.checkUrl(url))).toBe(true);
    expect(isBlocked(() => open.checkUrl(url))).toBe(false);
  });

  test.each(REFUSED)('%s is never called', (url) => {
    expect(isBlocked(() => strict.checkUrl(url))).toBe(true);
    expect(isBlocked(() => open.checkUrl(url))).toBe(true);
  });

  test.each(PUBLIC)('%s may be called', (url) => {
    expect(strict.checkUrl(url).href).toBe(new URL(url).href);
  });

  test('plain http is for private networks alone, even where they are allowed', () => {
    expect(isBlocked(() => strict.checkUrl('http://api.example/'))).toBe(true);
    expect(isBlocked(() => open.checkAddress('8.8.8.8', 'http:'))).toBe(true);
    expect(isBlocked(() => open.checkAddress('10.0.0.1', 'http:'))).toBe(false);
  });

  test('a refusal never quotes the user name or password of a URL', () => {
    expect(() => strict.checkUrl('https://me:hunter2@api.example/')).toThrow(/^(?!.*hunter2).*user name or password/);
  });

  test('every IPv4 address is judged the same when IPv6 maps it', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(addressClassOf(`::ffff:${address}`)).toBe(addressClassOf(address));
        expect(addressClassOf(`64:ff9b::${address}`)).toBe(addressClassOf(address));
      }),
    );
  });

  test('an old tunnel never makes an inner address public', () => {
    fc.assert(fc.property(fc.ipV4(), (address) => addressClassOf(`::${address}`) !== 'public'));
  });

  test('a URL of more characters than the limit is refused', () => {
    expect(isBlocked(() => strict.checkUrl(`https://api.example/${'a'.repeat(EGRESS_LIMITS.urlCharsMax)}`))).toBe(true);
  });

  test('what is no address is refused, and nothing throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV6()), (text) => void addressClassOf(text)));
    expect(addressClassOf('')).toBe('refused');
    expect(addressClassOf('1.2.3')).toBe('refused');
    expect(addressClassOf('fe80::1%eth0')).toBe('refused');
  });

  test('no text makes the check of a URL throw anything but a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string(),
          fc.string().map((text) => `https://${text}`),
        ),
        (text) => {
          try {
            strict.checkUrl(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'egress_blocked' });
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

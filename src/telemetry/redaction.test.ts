import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor, REDACTED, REDACTION_LIMITS } from './redaction.ts';

const RUNS = { numRuns: 1000 };
const { secretCharsMin, textCharsMax, valueCharsMax, nodesMax, depthMax } = REDACTION_LIMITS;

/** The ways a secret gets into output without anybody writing it down as such (T36). */
const ENCODINGS: Readonly<Record<string, (secret: string) => string>> = {
  raw: (secret) => secret,
  base64: (secret) => Buffer.from(secret).toString('base64'),
  base64url: (secret) => Buffer.from(secret).toString('base64url'),
  percent: (secret) => encodeURIComponent(secret),
  percentLower: (secret) => encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  percentTwice: (secret) => encodeURIComponent(encodeURIComponent(secret)),
  form: (secret) => new URLSearchParams([['', secret]]).toString().slice(1),
  json: (secret) => JSON.stringify(secret).slice(1, -1),
  jsonTwice: (secret) => JSON.stringify(JSON.stringify(secret)).slice(1, -1),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  hexUpper: (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
};

const wellFormed = (text: string): boolean => text.isWellFormed();
const isSecret = (text: string): boolean =>
  text.trim().length >= secretCharsMin && wellFormed(text) && !REDACTED.includes(text) && !text.includes('[');
const secret = fc
  .oneof(
    fc.string({ minLength: secretCharsMin, maxLength: 160, unit: 'binary' }),
    fc.string({
      minLength: secretCharsMin,
      maxLength: 80,
      unit: fc.constantFrom('\\', '"', '/', '%', '2', '5', 'u', 'a', ' ', '+', '\n'),
    }),
    fc.base64String({ minLength: 8, maxLength: 100 }),
  )
  .filter(isSecret);
const surroundings = fc.string({ maxLength: 40 });

/** Property P18: no written form of a secret in the output. A form that the surroundings hold by chance counts as well. */
function expectClean(output: string, secrets: readonly string[]): void {
  for (const each of secrets) {
    for (const [name, encode] of Object.entries(ENCODINGS)) {
      if (output.includes(encode(each)))
        throw new Error(`${name} form of ${JSON.stringify(each)} in ${JSON.stringify(output)}`);
    }
  }
}

describe('redactText', () => {
  it('leaves no written form of a registered secret in any text, and a second pass changes nothing', () => {
    const encoding = fc.constantFrom(...Object.keys(ENCODINGS));
    fc.assert(
      fc.property(
        fc.uniqueArray(secret, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(surroundings, encoding, fc.nat(3))),
        (secrets, parts) => {
          const redactor = createRedactor({ secrets });
          const text = parts
            .map(([around, form, which]) => around + (ENCODINGS[form]?.(secrets[which % secrets.length] ?? '') ?? ''))
            .join('');
          const once = redactor.redactText(text);
          expectClean(once, secrets);
          expect(redactor.redactText(once)).toBe(once);
        },
      ),
      RUNS,
    );
  });

  it('finds a secret inside the base64 of a longer text, at every alignment', () => {
    fc.assert(
      fc.property(secret, surroundings, surroundings, (each, before, after) => {
        const redactor = createRedactor({ secrets: [each] });
        for (const form of ['base64', 'base64url'] as const) {
          const output = redactor.redactText(Buffer.from(before + each + after).toString(form));
          const rest = output
            .split(REDACTED)
            .map((part) => Buffer.from(part, form).toString())
            .join('');
          expect(output).toContain(REDACTED);
          expect(rest.includes(each) && !(before + after).includes(each)).toBe(false);
        }
      }),
      RUNS,
    );
  });

  it('shows no part of a secret where a long text is cut', () => {
    const known = 'S3cr3t/with "quotes" and more';
    const redactor = createRedactor({ secrets: [known] });
    for (let shift = -80; shift < 80; shift += 1) {
      const output = redactor.redactText(`${'x'.repeat(textCharsMax + shift)}${known}${'y'.repeat(5000)}`);
      expect(output.length).toBeLessThanOrEqual(textCharsMax);
      expect(output).not.toContain('S3c');
      expect(output.endsWith(' [cut]')).toBe(true);
      expect(redactor.redactText(output)).toBe(output);
    }
  });

  it('shows no part of a secret where reading a long text ended, and cuts no marker in half', () => {
    const redactor = createRedactor({ secrets: ['S3cr3t-S3cr3t'] });
    for (const unit of ['S3cr3t-S3cr3t,', 'token=x&', 'S3cr3t-S3cr3t ']) {
      for (let shift = 0; shift < 20; shift += 1) {
        const output = redactor.redactText('x'.repeat(shift) + unit.repeat(5000));
        expect(output.replaceAll(REDACTED, '')).not.toMatch(/S3c|\[r|d\]/);
        expect(output.length).toBeLessThanOrEqual(textCharsMax);
        expect(redactor.redactText(output)).toBe(output);
      }
    }
  });

  it('leaves no tail when occurrences overlap or one secret lies within another', () => {
    const redactor = createRedactor({ secrets: ['abcabcabc', 'key-0123456789-end', '012345'] });
    expect(redactor.redactText('>abcabcabcabc<')).toBe(`>${REDACTED}<`);
    expect(redactor.redactText('>key-0123456789-end<')).toBe(`>${REDACTED}<`);
  });

  it('leaves no tail when one registered secret overlaps or begins another', () => {
    const redactor = createRedactor({ secrets: ['abcdefgh', 'fghijklmnop', 'abcdefgh-and-longer'] });
    expect(redactor.redactText('>abcdefghijklmnop<')).toBe(`>${REDACTED}<`);
    expect(redactor.redactText('>abcdefgh-and-longer<')).toBe(`>${REDACTED}<`);
  });

  it('finds the lines of a key that comes back indented', () => {
    const lines = ['MIIEvQIBADANBgkqhkiG9w0BAQEF', 'AASCBKcwggSjAgEAAoIBAQC7VJTU'];
    const redactor = createRedactor({ secrets: [lines.join('\n')] });
    expect(redactor.redactText(`key:\r\n   ${lines[0]}\r\n   ${lines[1]}\r\n`)).not.toMatch(/MIIE|AASC/);
  });

  it('does not search for secrets too short to be told from words', () => {
    expect(createRedactor({ secrets: ['test', '      '] }).redactText('a test of      spaces')).toBe(
      'a test of      spaces',
    );
  });

  it('finds a secret registered later, and refuses more than it can search for', () => {
    const redactor = createRedactor({ secrets: [] });
    redactor.register('refreshed-later');
    expect(redactor.redactText('got refreshed-later')).toBe(`got ${REDACTED}`);
    const secrets = Array.from({ length: REDACTION_LIMITS.secretsMax + 1 }, (_, at) => `secret-${at}`);
    expect(() => createRedactor({ secrets })).toThrow(RangeError);
  });

  it.each([
    ['Authorization: Bearer abcdef0123456789', 'abcdef0123456789'],
    ['authorization: Digest username="joe", response="6629fae4"', '6629fae4'],
    ['{"headers":{"Authorization":"Basic dXNlcjpwYXNz"}}', 'dXNlcjpwYXNz'],
    ['{\\"authorization\\":\\"Bearer zzzzzzzzzz\\"}', 'zzzzzzzzzz'],
    ['sent bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.x-y_z', 'eyJhbGci'],
    ['password=hunter2&user=joe', 'hunter2'],
    ['{"password": "correct horse battery"}', 'horse'],
    ["password: 'correct horse'", 'horse'],
    ['?access_token=abc123&page=2', 'abc123'],
    ['client_secret = s3cr3t', 's3cr3t'],
    ['Cookie: session=1234; theme=dark', '1234'],
    ['postgres://weir:pa:ss@db.example/weir', 'pa:ss'],
    ['https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/x', 'ghp_'],
    ['found xoxb-123456789012-abcdef here', 'xoxb-'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----', 'MIIEow'],
  ])('hides what looks like a secret in %s', (text, hidden) => {
    const redactor = createRedactor({ secrets: [] });
    const output = redactor.redactText(text);
    expect(output).toContain(REDACTED);
    expect(output).not.toContain(hidden);
    expect(redactor.redactText(output)).toBe(output);
  });

  it.each([
    'max_tokens=5',
    'basic authentication is off',
    'the bearer of news',
    'ssh://git@example.org/repo',
    'token_type: x',
    'see docs/secrets.md',
  ])('leaves %s as it is', (text) => expect(createRedactor({ secrets: [] }).redactText(text)).toBe(text));

  it('is idempotent for any mix of the shapes it knows', () => {
    const word = fc.constantFrom(
      'password',
      'token',
      'authorization',
      'cookie',
      'Bearer',
      'basic',
      '=',
      ':',
      ' ',
      '"',
      "'",
      '\\',
      '://',
      '@',
      '&',
      ';',
      '\n',
      '[cut]',
      REDACTED,
      'abcdefgh1',
      'eyJhbGciOi.eyJzdWIiOi.abc',
      '-----BEGIN PRIVATE KEY-----',
      'git@',
      'x',
    );
    const redactor = createRedactor({ secrets: ['abcdefgh1'] });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        const once = redactor.redactText(words.join(''));
        expect(redactor.redactText(once)).toBe(once);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    '\\',
    '%25',
    'password=',
    '"password":"',
    '://',
    'Authorization: ',
    'eyJaaaaaaaa.',
    'a',
    'basic a',
    '-----BEGIN PRIVATE KEY-----',
    'token ',
  ])(
    'is done in bounded time with the longest text made of %j',
    (unit) => {
      const redactor = createRedactor({
        secrets: ['\\'.repeat(64), `${'\\"'.repeat(40)}x`, 'a'.repeat(5000), '%25%25%25%25'],
      });
      const output = redactor.redactText(unit.repeat(1_000_000 / unit.length));
      expect(output.length).toBeLessThanOrEqual(textCharsMax);
    },
    2_000,
  );
});

describe('redactValue', () => {
  const known = 'p@ss/wörd "1"';
  const redactor = createRedactor({ secrets: [known] });

  it('leaves no written form of a secret in any value, is idempotent and stays within its bounds', () => {
    const leaf = fc.oneof(
      fc.constantFrom(...Object.values(ENCODINGS).map((encode) => `x${encode(known)}y`)),
      fc.string(),
      fc.double(),
      fc.boolean(),
    );
    const key = fc.oneof(fc.constantFrom('token', 'a', '__proto__', 'Authorization', known), fc.string());
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 10 },
        leaf,
        fc.array(tie('value')),
        fc.dictionary(key, tie('value')),
        fc.constant(new Error(known, { cause: known })),
      ),
    }));
    fc.assert(
      fc.property(value, (any) => {
        const once = redactor.redactValue(any);
        expectClean(JSON.stringify(once), [known]);
        expect(redactor.redactValue(once)).toEqual(once);
      }),
      RUNS,
    );
  });

  it('hides members by name whatever they hold, and shows that they were there', () => {
    const value = {
      'X-Api-Key': 'k',
      clientSecret: ['a'],
      refresh_token: 12,
      password: '',
      cookie: null,
      token: true,
      max_tokens: 5,
      user: 'joe',
    };
    expect(redactor.redactValue(value)).toEqual({
      ...value,
      'X-Api-Key': REDACTED,
      clientSecret: REDACTED,
      refresh_token: REDACTED,
    });
  });

  it('takes only name, code, message and cause from an error, never the request it carries', () => {
    const error = Object.assign(new TypeError(`failed with ${known}`, { cause: new Error('inner') }), {
      code: 'ECONNRESET',
      request: { headers: { a: 'b' } },
    });
    expect(redactor.redactValue(error)).toEqual({
      name: 'TypeError',
      code: 'ECONNRESET',
      message: `failed with ${REDACTED}`,
      cause: { name: 'Error', message: 'inner' },
    });
  });

  it('reads URLs, headers, maps, dates and bytes without leaking them', () => {
    const value = {
      url: new URL('https://joe:pw@example.org/?token=abc'),
      headers: new Headers({ authorization: 'Bearer x', accept: 'text/plain' }),
      map: new Map<unknown, unknown>([
        ['password', 'x'],
        [{}, 1n],
      ]),
      bytes: Buffer.from(known),
      at: new Date(0),
      broken: new Date(NaN),
      nan: NaN,
      fn: () => 1,
    };
    expect(redactor.redactValue(value)).toEqual({
      url: `https://${REDACTED}@example.org/?token=${REDACTED}`,
      headers: { authorization: REDACTED, accept: 'text/plain' },
      map: { password: REDACTED, '[key]': '1' },
      bytes: `[${Buffer.from(known).length} bytes]`,
      at: '1970-01-01T00:00:00.000Z',
      broken: 'invalid date',
      nan: 'NaN',
    });
  });

  it('survives cycles, getters that throw and proxies', () => {
    const cycle: Record<string, unknown> = { name: 'a' };
    cycle['self'] = cycle;
    const thrower = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error(known);
      },
    });
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    expect(redactor.redactValue([cycle, thrower, revoked.proxy])).toEqual([
      { name: 'a', self: '[circular]' },
      '[unreadable]',
      '[unreadable]',
    ]);
  });

  it('cuts what is too many, too deep or too long, marks it, and is idempotent there too', () => {
    let deep: unknown = 'end';
    for (let level = 0; level < depthMax + 3; level += 1) deep = { deep };
    const shared = Array.from({ length: 50 }, () => 'x');
    const wide = Array.from({ length: 50 }, () => shared.map(() => shared));
    const long = Array.from({ length: 20 }, () => 'word '.repeat(textCharsMax / 5 + 1000));
    for (const value of [deep, wide, long, Array(1_000_000).fill(0)]) {
      const once = redactor.redactValue(value);
      const text = JSON.stringify(once);
      expect(text).toMatch(/\[cut\]|\[too deep\]/);
      expect(text.length).toBeLessThan(valueCharsMax + nodesMax * 10);
      expect(redactor.redactValue(once)).toEqual(once);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { redactLine } from './redact-line.ts';

const SECRET = 'hunter2CanarySecret';

describe('redactLine', () => {
  it.each([
    `password=${SECRET}`,
    `password: ${SECRET} tail`,
    `PASSWORD="${SECRET} with blanks"`,
    `db_password='${SECRET}'`,
    `https://x/y?token=${SECRET}&a=1`,
    `postgres://user:${SECRET}@db/x`,
    `https://${SECRET}@host/`,
    `Authorization: Bearer ${SECRET}`,
    `authorization=Basic ${SECRET}==`,
    `got Bearer ${SECRET} from client`,
    `Cookie: sid=${SECRET}; theme=dark; other=${SECRET}`,
    `Set-Cookie: sid=${SECRET}; Path=/`,
    `{"password":"${SECRET}"}`,
    `{"password":"a\\"${SECRET}"}`,
    `{"password":"${SECRET}`,
    `{"user":{"apiKey":"${SECRET}"},"headers":{"cookie":"a=${SECRET}"}}`,
    `{"set-cookie":["a=${SECRET}; Path=/"]}`,
    `{"msg":"body {\\"password\\":\\"${SECRET}\\"}"}`,
    `{"client_secret" : "${SECRET}"}`,
    `aws_secret_access_key = ${SECRET}`,
    `x-api-key: ${SECRET}`,
    `-----BEGIN RSA PRIVATE KEY-----${SECRET}`,
    `ghp_${SECRET}abcdef`,
    `xoxb-${SECRET}`,
    `eyJhbGciOi.${SECRET}.sig`,
  ])('%s keeps nothing of the secret', (line) => {
    expect(redactLine(line)).not.toContain(SECRET);
    expect(redactLine(line)).toContain('[redacted]');
  });

  it('takes an AWS key id by its shape', () => {
    expect(redactLine('using AKIAIOSFODNN7EXAMPLE now')).toBe('using [redacted] now');
  });

  it.each(['plain line', 'token expired', '{"tokens":500,"msg":"ok"}', 'Unexpected token } in JSON'])(
    '%s stays as it is',
    (line) => {
      expect(redactLine(line)).toBe(line);
    },
  );

  it('leaves the rest of a JSON line readable', () => {
    expect(JSON.parse(redactLine(`{"password":"${SECRET}","a":1,"token":null}`))).toEqual({
      password: '[redacted]',
      a: 1,
      token: '[redacted]',
    });
  });
});

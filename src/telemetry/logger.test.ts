import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, LOG_LEVELS, noLogger, type LogLevel, type LogStream } from './logger.ts';
import { createRedactor, REDACTED } from './redaction.ts';
import { openRotatingFile } from './rotating-file.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const FIELDS = ['component', 'connector', 'extra', 'level', 'message', 'run_id', 'timestamp'];
const SECRET = 'hunter2-hunter2';

function loggerInto(streams: readonly LogStream[], level: LogLevel = 'debug') {
  return createLogger({
    level,
    streams,
    redactor: createRedactor({ secrets: [SECRET] }),
    clock: { now: () => NOW },
    component: 'engine',
  });
}

function recorder() {
  const lines: string[] = [];
  return {
    lines,
    write: (line: string) => void lines.push(line),
    // JSON.parse gives any; every test looks at members of an object.
    parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('createLogger', () => {
  it('writes one JSON line with exactly the promised fields', () => {
    const out = recorder();
    const logger = loggerInto([out]);
    logger.info('started');
    logger.child({ component: 'puller', run_id: 'r1', connector: 'docs' }).warn('retry at 03:05', { attempt: 2 });
    expect(out.parsed()).toEqual([
      {
        timestamp: '2026-01-02T03:04:05.678Z',
        level: 'info',
        component: 'engine',
        run_id: null,
        connector: null,
        message: 'started',
        extra: {},
      },
      {
        timestamp: '2026-01-02T03:04:05.678Z',
        level: 'warn',
        component: 'puller',
        run_id: 'r1',
        connector: 'docs',
        message: 'retry at 03:05',
        extra: { attempt: 2 },
      },
    ]);
    for (const line of out.lines) expect(line.match(/"(component|run_id|message|level)":/g)).toHaveLength(4); // no member twice
  });

  it('keeps the fields a child does not name', () => {
    const out = recorder();
    loggerInto([out]).child({ connector: 'docs' }).child({ run_id: 'r2' }).error('failed');
    expect(out.parsed()[0]).toMatchObject({ component: 'engine', connector: 'docs', run_id: 'r2' });
  });

  it('writes the lines at and above its level and no others', () => {
    for (const [at, level] of LOG_LEVELS.entries()) {
      const out = recorder();
      const logger = loggerInto([out], level);
      for (const each of LOG_LEVELS) logger[each](each);
      expect(out.parsed().map((line) => line['level'])).toEqual(LOG_LEVELS.slice(at));
    }
  });

  it('lets no text forge a line, add a field or carry a terminal control, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
        (text, extra) => {
          const out = recorder();
          loggerInto([out]).child({ connector: text, run_id: text }).info(text, extra);
          expect(out.lines).toHaveLength(1);
          expect(out.lines[0]).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*\n$/);
          expect(Object.keys(out.parsed()[0] ?? {}).sort()).toEqual(FIELDS);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('neutralises escape sequences in the message itself, for readers that decode the JSON', () => {
    const out = recorder();
    loggerInto([out]).info('title \u001b]0;owned\u0007 and \u009b31m red\nnext line');
    expect(out.parsed()[0]?.['message']).toBe('title \ufffd]0;owned\ufffd and \ufffd31m red\nnext line');
  });

  it('shows no secret in message, extra or fields', () => {
    const out = recorder();
    const error = Object.assign(new Error(`login with ${SECRET}`), { request: { headers: { authorization: SECRET } } });
    loggerInto([out])
      .child({ connector: SECRET })
      .error(`failed: ${SECRET}`, { error, token: 'abc', url: `https://x/?q=${Buffer.from(SECRET).toString('hex')}` });
    expect(out.lines[0]).not.toMatch(/hunter|abc|68756e/);
    expect(out.parsed()[0]).toMatchObject({ extra: { error: { message: `login with ${REDACTED}` }, token: REDACTED } });
  });

  it('takes format placeholders in a message literally', () => {
    const out = recorder();
    loggerInto([out]).info('100 %s of %d %j %% done', { a: 1 });
    expect(out.parsed()[0]?.['message']).toBe('100 %s of %d %j %% done');
  });

  it('writes to every stream, also when one of them fails', () => {
    const out = recorder();
    const broken = {
      write: () => {
        throw new Error('EPIPE');
      },
    };
    loggerInto([broken, out]).info('still here');
    expect(out.lines).toHaveLength(1);
  });

  it('writes the same lines to a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-log-'));
    try {
      const path = join(folder, 'weir.log');
      const out = recorder();
      const file = openRotatingFile({ path });
      loggerInto([out, file]).info('äöü €');
      expect(readFileSync(path, 'utf8')).toBe(out.lines.join(''));
      file.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('noLogger', () => {
  it('takes everything and has children', () => {
    expect(() => noLogger.child({ connector: 'docs' }).error('x', { y: 1n })).not.toThrow();
  });
});

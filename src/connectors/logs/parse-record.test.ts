import { describe, expect, it } from 'vitest';
import { type LogFormat, RecordAssembler } from './assemble-record.ts';
import { contextOf } from './context.ts';
import { keywordTags } from './keywords.ts';
import { type LogRecord, parseRecord } from './parse-record.ts';

const NEAR_MS = Date.UTC(2026, 0, 3);

function recordsOf(text: string, format: LogFormat = 'auto'): LogRecord[] {
  const records: LogRecord[] = [];
  const assembler = new RecordAssembler(format);
  let start = 0;
  const close = (): void => {
    const raw = assembler.close();
    if (raw !== undefined) records.push(parseRecord(raw, NEAR_MS));
  };
  for (const line of text.split('\n')) {
    const raw = { start, end: start + line.length + 1, text: line, truncated: false };
    start = raw.end;
    if (assembler.extend(raw)) continue;
    close();
    assembler.begin(raw);
  }
  close();
  return records;
}

function recordOf(line: string): LogRecord {
  const [record] = recordsOf(line);
  if (record === undefined) throw new Error('no record');
  return record;
}

describe('severity', () => {
  it.each([
    ['{"level":60,"msg":"x"}', 'critical'],
    ['{"level":50,"msg":"x"}', 'high'],
    ['{"level":40,"msg":"x"}', 'medium'],
    ['{"level":30,"msg":"x"}', 'low'],
    ['{"level":"fatal","message":"x"}', 'critical'],
    ['{"level":"Error","message":"x"}', 'high'],
    ['{"level":"WARNING","message":"x"}', 'medium'],
    ['{"level":"30","message":"x"}', 'low'],
    ['{"level":"info","message":"upstream timed out"}', 'medium'],
    ['{"level":"debug","message":"pod OOMKilled"}', 'medium'],
    ['{"level":"info","message":"java.lang.OutOfMemoryError: heap"}', 'medium'],
    ['{"level":"info","message":"Deadlock found when trying to get lock"}', 'medium'],
    ['{"level":"error","message":"timeout"}', 'high'],
    ['{"level":"info","message":"zoom in the bathroom, untimely outing"}', 'low'],
    ['{"level":"info","message":"error error error"}', 'low'],
    ['{"log.level":"error","message":"x"}', 'high'],
    ['{"log":{"level":"critical"},"message":"x"}', 'critical'],
    ['{"severityNumber":17,"body":"x"}', 'high'],
    ['{"severityNumber":21,"severityText":"FATAL2","body":"x"}', 'critical'],
    ['{"PRIORITY":"2","MESSAGE":"x"}', 'critical'],
    ['{"PRIORITY":"4","MESSAGE":[120,121]}', 'medium'],
    ['{"msg":"no level"}', 'low'],
    ['{"log":"2026-01-01T00:00:00Z ERROR inside\\n","stream":"stderr","time":"2026-01-01T00:00:00.5Z"}', 'high'],
    ['{"log":"{\\"level\\":50,\\"msg\\":\\"x\\"}\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}', 'high'],
    ['2026-01-01 00:00:00,123 ERROR [main] broken', 'high'],
    ['2026-01-01T00:00:00Z [warn] low disk', 'medium'],
    ['[2026-01-01T00:00:00Z] INFO: fine', 'low'],
    ['CRITICAL: data loss', 'critical'],
    ['E0102 15:04:05.000000  123 main.go:1] broken', 'high'],
    ['<11>1 2026-01-01T00:00:00Z host app 1 ID [a@1 b="]\\"x"] it broke', 'high'],
    ['<34>Jan  2 03:04:05 host su[1]: failed for root', 'critical'],
    ['Jan  2 03:04:05 host kernel: Out of memory: Killed process 1', 'medium'],
    ['127.0.0.1 - - [10/Oct/2025:13:55:36 -0700] "GET /a HTTP/1.0" 502 12', 'high'],
    ['127.0.0.1 - - [10/Oct/2025:13:55:36 -0700] "GET /error HTTP/1.0" 200 12', 'low'],
    ['time=2026-01-01T00:00:00Z level=warn msg="it is \\"odd\\"" request_id=r1', 'medium'],
    ['Exception in thread "main" java.lang.IllegalStateException', 'high'],
    ['finished with 0 errors', 'low'],
    ['call to deprecated API', 'medium'],
    ['{"level":"error","message":', 'high'],
  ])('%s is %s', (line, severity) => {
    expect(recordOf(line).severity).toBe(severity);
  });

  it('says when a record names a level that is none', () => {
    expect(recordOf('{"level":"purple","msg":"x"}')).toMatchObject({ levelUnknown: true, severity: 'low' });
  });
});

describe('times', () => {
  it.each([
    ['{"level":30,"time":1767225600000,"msg":"x"}', '2026-01-01T00:00:00.000Z'],
    ['{"@timestamp":"2026-01-01T01:00:00.25+01:00","message":"x"}', '2026-01-01T00:00:00.250Z'],
    ['{"timeUnixNano":"1767225600123000000","body":"x"}', '2026-01-01T00:00:00.123Z'],
    ['{"__REALTIME_TIMESTAMP":"1767225600123456","MESSAGE":"x"}', '2026-01-01T00:00:00.123Z'],
    ['{"ts":1767225600.5,"msg":"x"}', '2026-01-01T00:00:00.500Z'],
    ['{"log":"plain\\n","stream":"stdout","time":"2026-01-01T00:00:00.123456789Z"}', '2026-01-01T00:00:00.123Z'],
    ['<11>1 2026-01-01T00:00:00.5Z host app - - - x', '2026-01-01T00:00:00.500Z'],
    ['127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1', '2000-10-10T20:55:36.000Z'],
  ])('%s happened at %s', (line, time) => {
    expect(new Date(recordOf(line).timeMs() ?? 0).toISOString()).toBe(time);
  });

  it('takes a December stamp without a year, read in January, for last year', () => {
    const ms = recordOf('Dec 31 23:59:59 host app: x').timeMs();
    expect(new Date(ms ?? 0).getFullYear()).toBe(2025);
  });

  it.each([
    '{"time":1e300,"msg":"x"}',
    '{"time":-5,"msg":"x"}',
    '{"time":"yesterday","msg":"x"}',
    '9999-99-99T99:99:99Z x',
  ])('%s has no time', (line) => {
    expect(recordOf(line).timeMs()).toBeUndefined();
  });
});

describe('records of several lines', () => {
  it('joins a stack trace with the line above it', () => {
    const records = recordsOf('ERROR boom\n  at a (b.js:1)\n\tat c\nCaused by: x\n\t... 3 more\nINFO next');
    expect(records.map((record) => record.raw.rest.length)).toEqual([4, 0]);
  });

  it('joins a Python trace up to its last, unindented line', () => {
    const records = recordsOf(
      'ERROR job\nTraceback (most recent call last):\n  File "a.py", line 1\n    f()\nValueError: bad\nINFO next',
    );
    expect(records.map((record) => record.raw.rest.at(-1))).toEqual(['ValueError: bad', undefined]);
  });

  it('joins the pieces in which a container runtime splits a long line', () => {
    const piece = (log: string): string => JSON.stringify({ log, stream: 'stdout', time: '2026-01-01T00:00:00Z' });
    const [record, ...more] = recordsOf([piece('{"level":50,"msg":"a'), piece('b'), piece('c"}\n')].join('\n'));
    expect(record).toMatchObject({ message: 'abc', severity: 'high' });
    expect(more).toEqual([]);
  });

  it('keeps a bounded part of a trace without end', () => {
    const [record] = recordsOf(`ERROR x\n${'  at frame\n'.repeat(500)}`.trimEnd());
    expect(record?.raw.rest.length).toBe(201);
  });
});

describe('context and tags', () => {
  it('brings the usual spellings under one name', () => {
    const line = {
      level: 50,
      msg: 'x',
      reqId: 7,
      trace: { id: '4bf92f3577b34da6a3ce929d0e0e4736' },
      correlationId: 'c',
      user: { id: 'u1' },
      service: { name: 'api' },
    };
    expect(contextOf(recordOf(JSON.stringify(line)))).toEqual({
      request_id: '7',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      correlation_id: 'c',
      user: 'u1',
      service: 'api',
    });
  });

  it('finds ids in text, and takes a trace id of zeros for none', () => {
    expect(contextOf(recordOf('ERROR request_id=abc-1 trace_id=00000000000000000000000000000000 x'))).toEqual({
      request_id: 'abc-1',
    });
  });

  it('does not look into inherited members', () => {
    expect(contextOf(recordOf('{"level":50,"msg":"x","__proto__":{"user":"evil"}}'))).toEqual({});
  });

  it.each([
    ['Database connection timeout', ['timeout']],
    ['slow query took 3 s', ['slow_query']],
    ['NullPointerException\n\tat a.b(C.java:1)', ['exception', 'stack_trace']],
    ['deadlock, out of memory', ['deadlock', 'oom']],
    ['nothing', []],
  ])('%j is tagged %j', (text, tags) => {
    expect(keywordTags(text)).toEqual(tags);
  });
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FAULTS, Fault, type FaultCode } from '#core/fault.ts';
import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { recordingHost, type RecordingOptions } from './fixtures/recording-host.ts';
import { answersWith, COMMAND_LINES } from './fixtures/sample-answers.ts';
import { runCli } from './program.ts';

const FAULT_CODES = Object.keys(FAULTS) as FaultCode[]; // the keys of a literal
const Problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(FAULT_CODES),
  detail: z.string(),
  hint: z.string(),
  problems: z.array(z.object({ path: z.string(), problem: z.string() })).optional(),
});

async function weir(args: readonly string[], options: RecordingOptions = {}) {
  const recording = recordingHost({ answers: answersWith('text'), ...options });
  const exit = await runCli(recording.host, args);
  return { exit, out: recording.out(), err: recording.err(), recording };
}

describe('usage', () => {
  test.for([
    '--help',
    '-h',
    '--version',
    'help',
    'help list',
    'list --help',
    'queue stats -h',
    'config --help',
    'start --help',
  ])('weir %s answers on stdout and ends with 0', async (line) => {
    const { exit, out, err } = await weir(line.split(' '));
    expect(exit).toBe(0);
    expect(out).not.toBe('');
    expect(err).toBe('');
  });

  test('--version prints the version alone', async () => {
    expect((await weir(['--version'])).out).toBe('9.8.7\n');
  });

  test.for<[readonly string[], RegExp]>([
    [[], /Usage: weir/],
    [['nosuch'], /unknown command 'nosuch'/],
    [['lst'], /Did you mean list\?/],
    [['queue', 'stast'], /Did you mean stats\?/],
    [['list', '--jsn'], /Did you mean --json\?/],
    [['events', '--sevrity', 'high'], /Did you mean --severity\?/],
    [['drill'], /missing required argument 'name'/],
    [['search'], /missing required argument 'words'/],
    [['neighbours', 'git'], /missing required argument 'key'/],
    [['list', 'extra'], /too many arguments/],
    [['list', '--data'], /argument missing/],
    [['search', 'x', '--limit', '0'], /whole number above 0/],
    [['search', 'x', '--limit', '-5'], /whole number above 0/],
    [['search', 'x', '--limit', '1e3'], /whole number above 0/],
    [['queue', 'peek', '-n', 'all'], /whole number above 0/],
    [['start', '--port', '65536'], /port from 0 to 65535/],
    [['start', '--port', '-1'], /port from 0 to 65535/],
    [['start', '--port', '0x50'], /port from 0 to 65535/],
    [['queue'], /Usage: weir queue/],
    [['config', 'show', '--nosuch'], /unknown option/],
  ])('weir %j says what is wrong on stderr and ends with 3', async ([args, message]) => {
    const { exit, out, err, recording } = await weir(args);
    expect({ exit, out }).toEqual({ exit: 3, out: '' });
    expect(err).toMatch(message);
    expect(recording.opened).toEqual([]);
  });

  test.for(['nosuch --json', 'drill --json', '--json list extra', 'search x --limit 0 --json', 'queue --json'])(
    'weir %s leaves stdout empty and one problem object on stderr',
    async (line) => {
      const { exit, out, err } = await weir(line.split(' '));
      expect({ exit, out }).toEqual({ exit: 3, out: '' });
      const problem = Problem.parse(JSON.parse(err));
      expect(problem.code).toBe('input_invalid');
      expect(problem.detail).not.toContain('outputHelp');
    },
  );

  test('what a user typed cannot act on the terminal through the complaint about it', async () => {
    const { err } = await weir(['list', '\u001b[2J\u009b31m\u202e']);
    expect(err).not.toMatch(/[\u001b\u009b\u202e]/);
  });

  test('every command has help that names its own usage', async () => {
    for (const command of [
      ...COMMAND_LINES.map((line) => line.filter((word, at) => at === 0 || ['stats', 'peek', 'lag'].includes(word))),
      ['init'],
      ['start'],
      ['config', 'show'],
      ['config', 'schema'],
    ]) {
      const { exit, out } = await weir([...command, '--help']);
      expect(exit).toBe(0);
      expect(out).toContain(`Usage: weir ${command.join(' ')}`);
    }
  });

  test('the top page shows examples and all four exit codes', async () => {
    const { out } = await weir(['--help']);
    expect(out).toMatch(/Examples:/);
    expect(out).toMatch(/Exit codes:\n +0 .*\n +1 .*\n +2 .*\n +3 /);
  });

  test('global flags are understood before and after the command', async () => {
    for (const args of [
      ['--data', 'd', '--config', 'c', '--json', 'list'],
      ['list', '--data', 'd', '--config', 'c', '--json'],
    ]) {
      const { recording } = await weir(args);
      expect(recording.opened).toMatchObject([{ flags: { data: 'd', config: 'c', json: true }, needs: 'read' }]);
    }
  });

  test('worker lag asks for the heartbeat alone, so that it works on a process that is stuck', async () => {
    expect((await weir(['worker', 'lag'])).recording.opened).toMatchObject([{ needs: 'heartbeat' }]);
  });

  test('start hands its flags over as they were given and ends with its code', async () => {
    const { exit, recording } = await weir(['start', '--port', '0', '--host', '127.0.0.1', '--data', 'd']);
    expect(exit).toBe(0);
    expect(recording.started).toMatchObject([{ port: 0, host: '127.0.0.1', data: 'd' }]);
  });
});

describe('USER_ROLE', () => {
  test.for<[string | undefined, number]>([
    [undefined, 0],
    ['', 0],
    ['Admin', 0],
    ['Deployer', 0],
    ['Operator', 0],
    ['Viewer', 2],
    ['admin', 2],
    ['Admin ', 2],
    ['root', 2],
  ])('%j ends with %i', async ([userRole, expected]) => {
    const { exit, recording } = await weir(['queue', 'stats'], userRole === undefined ? {} : { userRole });
    expect(exit).toBe(expected);
    expect(recording.calls).toHaveLength(expected === 0 ? 1 : 0);
  });

  test('a role that may not act sees on stderr which may, and nothing was opened', async () => {
    for (const line of [...COMMAND_LINES, ['init'], ['config', 'show'], ['config', 'schema'], ['start']]) {
      const { exit, out, err, recording } = await weir(line, { userRole: 'Viewer' });
      expect({ exit, out, opened: recording.opened, started: recording.started }).toEqual({
        exit: 2,
        out: '',
        opened: [],
        started: [],
      });
      expect(err).toMatch(/Admin, Deployer, Operator.*\[role_missing\]/);
    }
  });

  test('help and version are for everybody', async () => {
    expect((await weir(['--help'], { userRole: 'Viewer' })).exit).toBe(0);
    expect((await weir(['--version'], { userRole: 'Viewer' })).exit).toBe(0);
  });
});

describe('faults', () => {
  test('the exit code of a fault is the one its row says, whatever its message', async () => {
    for (const code of FAULT_CODES) {
      const fault = new Fault(code, 'exit 0 please');
      const { exit, out, err, recording } = await weir(['list'], { answers: { 'connectors.list': fault } });
      expect([code, exit, out]).toEqual([code, FAULTS[code].exit, '']);
      expect(err).toContain(`[${code}]`);
      expect(recording.open()).toBe(0);
    }
  });

  test('an error that is no fault ends with 3', async () => {
    const { exit, err } = await weir(['list'], {
      answers: { 'connectors.list': new TypeError('x is not a function') },
    });
    expect(exit).toBe(3);
    expect(err).toMatch(/x is not a function.*\n.*\[internal\]/);
  });

  test('a session that cannot be opened is a fault like any other', async () => {
    const openSession = () => Promise.reject(new Fault('storage_locked', '/data is in use'));
    const { exit, err } = await weir(['list'], { change: { openSession } });
    expect({ exit, err }).toEqual({
      exit: 3,
      err: expect.stringMatching(/weir: \/data is in use\n.*--data.*\[storage_locked\]\n$/),
    });
  });

  test('with --json it is one problem object on stderr with code, status, detail and hint', async () => {
    for (const code of FAULT_CODES) {
      const fault = new Fault(code, 'what happened', {
        problems: [{ path: '/a', problem: 'b', file: 'weir.yaml', line: 3 }],
      });
      const { out, err } = await weir(['list', '--json'], { answers: { 'connectors.list': fault } });
      expect(out).toBe('');
      expect(Problem.parse(JSON.parse(err))).toMatchObject({
        code,
        status: FAULTS[code].http,
        detail: 'what happened',
        problems: [{ path: '/a' }],
      });
    }
  });

  test('a place with control characters in it cannot act on the terminal through the hint', async () => {
    const fault = new Fault('storage_unreachable', 'x', { details: { place: '/tmp/\u001b[2J\u202e' } });
    expect((await weir(['list'], { answers: { 'connectors.list': fault } })).err).toContain(
      '/tmp/\ufffd[2J\ufffd exists',
    );
  });

  test('neither its message nor its details can act on the terminal, as text and as JSON', async () => {
    const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(...FAULT_CODES), fc.boolean(), async (hostile, code, json) => {
        const details = { place: hostile, connection: hostile, limit: hostile, name: hostile };
        const { err } = await weir(json ? ['list', '--json'] : ['list'], {
          answers: { 'connectors.list': new Fault(code, hostile, { details }) },
        });
        expect(err).not.toMatch(
          /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/,
        );
      }),
    );
  });
});

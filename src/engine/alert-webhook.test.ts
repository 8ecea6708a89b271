import { describe, expect, test } from 'vitest';
import type { SinkAnswer } from '#core/sink.ts';
import { signStandardWebhook } from '#core/standard-webhook.ts';
import { noLogger, type Logger } from '#telemetry/logger.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { ALERT_RULES } from './alert-rules.ts';
import type { AlertNotice } from './alert-watch.ts';
import { ALERT_WEBHOOK_LIMITS, AlertWebhook } from './alert-webhook.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const URL_TOLD = 'https://alerts.example.com/weir';

function noticeOf(change: 'fired' | 'resolved'): AlertNotice {
  const rule = ALERT_RULES[0];
  if (rule === undefined) throw new Error('there are no rules');
  const connector = { tenant: 'a', connection: 'wiki' };
  const state = { state: 'resolved', sinceMs: 0 } as const;
  return { rule, connector, state, value: 1, silencedUntilMs: undefined, change, summary: 'a sentence', atMs: 0 };
}

type Answer = SinkAnswer | Error;
const status = (code: number, retryAfter?: string): Answer => ({
  status: code,
  headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  text: '',
});
const ok = status(204);

/** A recipient that gives these answers in turn, then the last one for ever. */
function recipient(...answers: readonly Answer[]) {
  const clock = new SimulatedClock();
  const got: { atMs: number; headers: Readonly<Record<string, string>>; body: string }[] = [];
  const lines: string[] = [];
  const logger: Logger = { ...noLogger, error: (line) => void lines.push(line), child: () => logger };
  const webhook = new AlertWebhook({
    env: { clock, random: simulatedRandom(5) },
    url: URL_TOLD,
    secret: SECRET,
    logger,
    post: ({ url, headers, body = '' }) => {
      expect(url).toBe(URL_TOLD);
      got.push({ atMs: clock.monotonic(), headers, body });
      const answer = answers[Math.min(got.length, answers.length) - 1] ?? ok;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  });
  return { clock, got, lines, webhook };
}

describe('a notice', () => {
  test('is sent once, signed, and says type, time and what it is about', async () => {
    const { clock, got, webhook } = recipient(ok);
    webhook.notify(noticeOf('fired'));
    await clock.advance(3_600_000);
    expect(got).toHaveLength(1);
    const { headers = {}, body = '' } = got[0] ?? {};
    const id = headers['webhook-id'] ?? '';
    const timestampS = Number(headers['webhook-timestamp']);
    expect(timestampS).toBe(Date.UTC(2026, 0, 1) / 1000);
    expect(headers['webhook-signature']).toBe(signStandardWebhook(SECRET, { id, timestampS, body }));
    expect(JSON.parse(body)).toMatchObject({
      type: 'weir.alert.fired',
      timestamp: '1970-01-01T00:00:00.000Z',
      data: { alert: 'circuit_open', severity: 'critical', page: true, connector: 'wiki', summary: 'a sentence' },
    });
  });

  test('that is not taken is sent again with the same id, a new time and growing waits, up to the limit', async () => {
    const { clock, got, lines, webhook } = recipient(new Error('refused'), status(500), status(302));
    webhook.notify(noticeOf('fired'));
    await clock.advance(3_600_000);
    expect(got).toHaveLength(ALERT_WEBHOOK_LIMITS.retry.attemptsMax);
    expect(new Set(got.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(got.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(got.length);
    expect(got[1]?.atMs).toBeGreaterThan(3000);
    expect(lines).toEqual(['alert not sent to the webhook: the recipient answered 302']);
  });

  test('waits at least as long as the recipient asks', async () => {
    const { clock, got, webhook } = recipient(status(429, '120'), ok);
    webhook.notify(noticeOf('fired'));
    await clock.advance(119_000);
    expect(got).toHaveLength(1);
    await clock.advance(60_000);
    expect(got).toHaveLength(2);
  });

  test('of an end follows the one of its beginning, also when that is delayed', async () => {
    const { clock, got, webhook } = recipient(status(503), ok);
    webhook.notify(noticeOf('fired'));
    webhook.notify(noticeOf('resolved'));
    await clock.advance(60_000);
    expect(got.map(({ body }) => /weir\.alert\.(\w+)/.exec(body)?.[1])).toEqual(['fired', 'fired', 'resolved']);
    expect(new Set(got.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
  });
});

test('after a 410 nothing more is sent', async () => {
  const { clock, got, lines, webhook } = recipient(status(410));
  webhook.notify(noticeOf('fired'));
  await clock.advance(1000);
  webhook.notify(noticeOf('resolved'));
  await clock.advance(3_600_000);
  expect(got).toHaveLength(1);
  expect(lines.join()).toContain('410');
});

test('beyond the limit of waiting notices the log says which one is not sent', async () => {
  const { clock, got, lines, webhook } = recipient(status(500));
  for (let i = 0; i < ALERT_WEBHOOK_LIMITS.waitingMax + 1; i += 1) webhook.notify(noticeOf('fired'));
  await clock.advance(0);
  expect(lines).toHaveLength(1);
  expect(got).toHaveLength(1);
  await webhook.close();
});

test('closing ends a wait at once, leaves no timer and sends nothing more', async () => {
  const { clock, got, webhook } = recipient(status(500));
  webhook.notify(noticeOf('fired'));
  await clock.advance(100);
  await webhook.close();
  webhook.notify(noticeOf('fired'));
  await clock.advance(3_600_000);
  expect(got).toHaveLength(1);
  expect(clock.sleeping).toBe(0);
});

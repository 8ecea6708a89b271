import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import { ALERT_RULE_NAMES, ALERT_RULES, summaryOf } from '#engine/alert-rules.ts';
import { ALERT_LIMITS, type Alert, type Silence } from '#engine/alerts.ts';
import { demandRunning, findConnection } from './connector-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION, type OperationContext } from './operation.ts';
import { connectorName, moment, toMoment } from './shapes.ts';

const ruleName = z.enum(ALERT_RULE_NAMES);

const silenceView = z.object({
  rule: ruleName.nullable().describe('null: every rule'),
  connector: z.string().nullable().describe('null: everything'),
  until: z.string(),
  reason: z.string(),
});

export const listAlerts = defineOperation({
  name: 'alerts.list',
  title: 'What is wrong by the alert rules, and the rules themselves',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/alerts' },
  input: z.strictObject({}),
  output: z.object({
    schemaVersion,
    firing: z.int().describe('how many fire, silenced ones included'),
    alerts: z.array(
      z.object({
        rule: ruleName,
        connector: z.string().nullable().describe('null: this Weir as a whole'),
        state: z.enum(['pending', 'firing', 'resolved']),
        severity: z.enum(['critical', 'warning']),
        page: z.boolean().describe('whether somebody is to be woken'),
        since: z.string().describe('when it entered this state'),
        summary: z.string(),
        silenced_until: moment,
        runbook: z.string(),
      }),
    ),
    rules: z.array(
      z.object({
        name: ruleName,
        severity: z.enum(['critical', 'warning']),
        page: z.boolean(),
        for_seconds: z.number().describe('how long it must be met before it fires'),
        description: z.string(),
        inactive: z.string().nullable().describe('why it is not judged now'),
      }),
    ),
    silences: z.array(silenceView),
  }),
  run(ctx) {
    demandRunning(ctx);
    const { alerts: watch } = ctx.engine;
    const mine = watch
      .list()
      .filter(({ connector }) => connector === undefined || ctx.tenants.includes(connector.tenant)); // I9
    const silences = watch.silences().filter(({ tenants }) => tenants.some((tenant) => ctx.tenants.includes(tenant)));
    return Promise.resolve({
      schemaVersion: SCHEMA_VERSION,
      firing: mine.filter(({ state }) => state.state === 'firing').length,
      alerts: mine.map((alert) => toAlertView(ctx, alert)),
      rules: ALERT_RULES.map((rule) => ({
        name: rule.name,
        severity: rule.severity,
        page: rule.page,
        for_seconds: rule.forMs / 1000,
        description: rule.description,
        inactive: watch.inactive(rule) ?? null,
      })),
      silences: silences.map((silence) => toSilenceView(ctx, silence)),
    });
  },
});

export const silenceAlerts = defineOperation({
  name: 'alerts.silence',
  title: 'Tell nobody of alerts for a while; they are still listed',
  role: 'operator',
  changes: true,
  http: { method: 'POST', path: '/api/v1/alerts/silences' },
  input: z.strictObject({
    rule: ruleName.optional().describe('only this rule; every rule when absent'),
    connector: connectorName.optional().describe('only this connector; everything when absent'),
    minutes: z.coerce
      .number()
      .min(1)
      .max(ALERT_LIMITS.silenceMinutesMax)
      .default(60)
      .describe(`for so long, at most ${ALERT_LIMITS.silenceMinutesMax}; it ends with the process too`),
    reason: z.string().min(1).max(500).describe('for whoever wonders why it is quiet'),
  }),
  output: silenceView.extend({ schemaVersion }),
  run(ctx, { rule, connector, minutes, reason }) {
    demandRunning(ctx);
    if (connector !== undefined) findConnection(ctx, connector);
    const silence = { rule, connector, tenants: ctx.tenants, reason };
    const forMs = minutes * 60_000;
    if (!ctx.engine.alerts.silence(silence, forMs))
      throw new Fault(
        'input_invalid',
        `there are ${ALERT_LIMITS.silencesMax} silences already: wait until one has ended, or use one that covers more`,
      );
    const untilMs = ctx.env.clock.monotonic() + forMs;
    return Promise.resolve({ schemaVersion: SCHEMA_VERSION, ...toSilenceView(ctx, { ...silence, untilMs }) });
  },
});

function toAlertView(ctx: OperationContext, { rule, connector, state, value, silencedUntilMs }: Alert) {
  return {
    rule: rule.name,
    connector: connector?.connection ?? null,
    state: state.state,
    severity: rule.severity,
    page: rule.page,
    since: toWallTime(ctx, state.sinceMs),
    summary: summaryOf(rule, connector?.connection, value),
    silenced_until: silencedUntilMs === undefined ? null : toWallTime(ctx, silencedUntilMs),
    runbook: `docs/operating.md#${rule.runbook}`,
  };
}

function toSilenceView(ctx: OperationContext, { rule, connector, untilMs, reason }: Silence) {
  return { rule: rule ?? null, connector: connector ?? null, until: toWallTime(ctx, untilMs), reason };
}

/** Alerts keep monotonic time (I10); people get it as the wall clock would have shown it. */
function toWallTime({ env: { clock } }: OperationContext, monotonicMs: number): string {
  return toMoment(clock.now() + (monotonicMs - clock.monotonic())) ?? '';
}

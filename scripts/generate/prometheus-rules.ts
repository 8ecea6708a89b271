import { stringify } from 'yaml';
import { ALERT_RULES, promDuration, type AlertRule } from '#engine/alert-rules.ts';

const HEADER = `# Alert rules for Prometheus 2.42 or newer: the same that Weir judges by itself.
# Written by scripts/generate-docs.ts from src/engine/alert-rules.ts. Do not edit: change it there.
`;

/** Every text quoted: readers of older YAML take a bare `yes` for a truth value. */
const QUOTED = { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const;

export function prometheusRules(): string {
  const left = ALERT_RULES.filter(({ expr }) => expr === undefined).map(
    ({ title }) => `# ${title} is not here: there is no metric for it yet.\n`,
  );
  const rules = ALERT_RULES.flatMap((rule) => (rule.expr === undefined ? [] : [toRule(rule, rule.expr)]));
  return `${HEADER}${left.join('')}${stringify({ groups: [{ name: 'weir', rules }] }, QUOTED)}`;
}

function toRule(rule: AlertRule, expr: string) {
  return {
    alert: rule.title,
    expr,
    for: promDuration(rule.forMs),
    keep_firing_for: promDuration(rule.keepFiringMs),
    labels: { severity: rule.severity, page: rule.page ? 'yes' : 'no' },
    annotations: {
      summary: summaryTemplate(rule),
      description: rule.description,
      runbook_url: `docs/operating.md#${rule.runbook}`,
    },
  };
}

/** The summary in the template language of Prometheus; a label that a series does not have is empty there. */
function summaryTemplate({ summary, valueForm }: AlertRule): string {
  const value = {
    percent: '{{ $value | humanizePercentage }}',
    seconds: '{{ $value | humanizeDuration }}',
    count: '{{ $value | printf "%.0f" }}',
  }[valueForm];
  return summary.replace('{subject}', '{{ or $labels.connector $labels.sink "this Weir" }}').replace('{value}', value);
}

import { expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { effectiveSettings } from './effective-settings.ts';
import { parseConfig } from './parse-config.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const URL_TOLD = 'https://alerts.example.com/weir';
const parse = (alerts: string) =>
  parseConfig({
    text: `alerts: ${alerts}`,
    file: 'weir.yaml',
    env: { SECRET },
    cwd: '/project',
    readFile: () => '',
    metadataSchemas: new Map(),
  });

test('without a webhook alerts go to the log alone', () => {
  expect(parse('{}').config.alertWebhook).toBeUndefined();
  expect(parse(`{webhook_secret: ${SECRET}}`).config.alertWebhook).toBeUndefined();
});

test('a webhook has an address and a secret, and the secret is not shown', () => {
  const parsed = parse(`{webhook_url: "${URL_TOLD}", webhook_secret: "\${SECRET}"}`);
  expect(parsed.config.alertWebhook).toEqual({ url: URL_TOLD, secret: SECRET });
  const shown = effectiveSettings(parsed);
  expect(shown.find(({ key }) => key === 'alerts.webhook_secret')).toMatchObject({ secret: true });
  expect(JSON.stringify(shown)).not.toContain(SECRET);
  expect(JSON.stringify(effectiveSettings(parse(`{webhook_secret: ${SECRET}}`)))).not.toContain(SECRET);
});

test.each([
  ['an address without a secret', `{webhook_url: "${URL_TOLD}"}`, 'webhook_secret'],
  ['a secret of another form', `{webhook_url: "${URL_TOLD}", webhook_secret: hushhush}`, 'webhook_secret'],
  ['a secret of fewer than 24 bytes', `{webhook_secret: whsec_${'A'.repeat(31)}}`, 'webhook_secret'],
  ['a secret of more than 64 bytes', `{webhook_secret: whsec_${'A'.repeat(88)}}`, 'webhook_secret'],
  ['an address of another kind', `{webhook_url: "ftp://example.com", webhook_secret: ${SECRET}}`, 'webhook_url'],
  ['an address that is none', `{webhook_url: "somewhere", webhook_secret: ${SECRET}}`, 'webhook_url'],
])('%s is refused at its key, without repeating it', (_what, alerts, key) => {
  let thrown: unknown;
  try {
    parse(alerts);
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof Fault)) throw new Error('no fault was thrown');
  expect(thrown.problems.map(({ path }) => path)).toEqual([`alerts.${key}`]);
  expect(JSON.stringify(thrown.problems)).not.toMatch(/hushhush|AAAA|whsec_Mf/);
});

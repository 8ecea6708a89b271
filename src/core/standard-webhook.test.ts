import { expect, test } from 'vitest';
import { signStandardWebhook, standardWebhookHeaders, STANDARD_WEBHOOK_SECRET } from './standard-webhook.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampS: 1_614_265_330, body: '{"test": 2432232314}' };
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';

test('the signature is the one that the published test vector gives', () => {
  expect(STANDARD_WEBHOOK_SECRET.test(SECRET)).toBe(true);
  expect(signStandardWebhook(SECRET, message)).toBe(signature);
  expect(standardWebhookHeaders(SECRET, message)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': signature,
  });
});

// Standard Webhooks 1.0: how a receiver can tell that a request comes from this Weir and was not changed on its way.

import { createHmac } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

/** `whsec_` and 24 to 64 random bytes in base64. */
export const STANDARD_WEBHOOK_SECRET = /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/;

export interface SignedMessage {
  /** Unique per message and the same in every attempt. Without a full stop: it is what the signed parts are joined with. */
  readonly id: string;
  /** Of this attempt. */
  readonly timestampS: number;
  readonly body: string;
}

/** `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; the key is what the secret encodes. */
export function signStandardWebhook(secret: string, { id, timestampS, body }: SignedMessage): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
}

/** The three headers of a signed message. */
export function standardWebhookHeaders(secret: string, message: SignedMessage): Readonly<Record<string, string>> {
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestampS),
    'webhook-signature': signStandardWebhook(secret, message),
  };
}

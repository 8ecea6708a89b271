import { z } from 'zod';
import { STANDARD_WEBHOOK_SECRET, type SinkDefinition } from '#sdk/index.ts';

const URL_CHARS_MAX = 4096;

const AddressSchema = z
  .string()
  .max(URL_CHARS_MAX)
  .superRefine((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol))
      context.addIssue({ code: 'custom', message: 'must be a complete http:// or https:// address' });
    else if (url.username !== '' || url.password !== '')
      context.addIssue({ code: 'custom', message: 'must not carry a user name or password: requests are signed' });
  });

export const HttpSinkSettings = z.strictObject({
  url: AddressSchema.describe('Address that gets one POST per event.'),
  secret: z
    .string()
    .regex(STANDARD_WEBHOOK_SECRET, 'must be whsec_ followed by 24 to 64 random bytes in base64')
    .describe('Secret that signs every request after Standard Webhooks: whsec_ and 24 to 64 random bytes in base64.')
    .meta({ writeOnly: true }),
  timeout_seconds: z.number().min(1).max(30).default(15).describe('Seconds one request may take.'),
  ping_url: AddressSchema.optional().describe(
    'Address that answers a GET with 2xx while the receiver takes events. Default: an OPTIONS request to url, where anything below 500 but 410 and 429 will do.',
  ),
});

export type HttpSinkSettings = z.output<typeof HttpSinkSettings>;

/** Signed is not hidden: over plain http everybody on the way reads along. */
export const plainHttpWarnings: NonNullable<SinkDefinition<HttpSinkSettings>['warnings']> = ({ url }) => {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname)) return [];
  return [
    {
      key: 'url',
      problem: 'events leave this machine unencrypted',
      hint: 'use https:// unless the network is your own',
    },
  ];
};

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

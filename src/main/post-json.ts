import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { Post } from '#engine/alert-webhook.ts';
import { Fault } from '#core/fault.ts';

export const POST_TIMEOUT_MS = 10_000; // from the first byte sent to the last one needed

/** The plainest way to send something to an address the operator chose. Follows no redirect and reads no body. */
export const postJson: Post = (url, headers, body, signal) => {
  const target = new URL(url);
  const send = target.protocol === 'https:' ? requestSecure : requestPlain;
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Post>>>();
  const asked = send(
    target,
    {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent: false, // alerts are rare: a connection of an hour ago is no use
      signal: AbortSignal.any([signal, AbortSignal.timeout(POST_TIMEOUT_MS)]),
    },
    (answer) => {
      resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] });
      answer.destroy(); // the status says all there is to know
    },
  );
  // The path of the address may be a secret (I7): the message names its host alone.
  asked.on('error', (error) =>
    reject(new Fault('upstream_unavailable', `no answer from ${target.host}: ${error.message}`, { cause: error })),
  );
  asked.end(body);
  return promise;
};

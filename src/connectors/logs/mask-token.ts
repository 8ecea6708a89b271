import { LOGS_LIMITS } from './limits.ts';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const IPV4 = /(?<![\d.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])/g;
const IPV6 = /(?<![\w:])(?:[0-9a-f]{1,4}:{1,2}){3,7}[0-9a-f]{0,4}(?![\w:])/gi;
const HEX = /0x[0-9a-f]+|(?<![a-z0-9])(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}(?![a-z0-9])/gi;
const DIGITS = /\d+/g;
// Letters and digits mixed and long enough to be an id rather than a name such as `utf8` or `http2`.
const ID = /(?<![a-z0-9])(?=[a-z]{0,64}\d[a-z]{0,64}\d|[a-z]{4,64}\d|\d+[a-z]{4})[a-z0-9]{8,}(?![a-z0-9])/gi;
const PATH = /^["'(<[]?(?:[a-z]:)?(?:\/[^\s/]+){2,}\/?$/i;

/** A word of a message with what varies from line to line replaced by its kind: `35ms` → `<n>ms`. Total, linear in the bounded word. */
export function maskToken(token: string): string {
  const word = token.length > LOGS_LIMITS.tokenCharsMax ? token.slice(0, LOGS_LIMITS.tokenCharsMax) : token;
  if (word.includes('/') && PATH.test(word)) return '<path>';
  if (!/\d/.test(word)) return word;
  return word
    .replace(UUID, '<uuid>')
    .replace(IPV4, '<ip>')
    .replace(IPV6, '<ip>')
    .replace(HEX, '<hex>')
    .replace(ID, '<id>')
    .replace(DIGITS, '<n>');
}

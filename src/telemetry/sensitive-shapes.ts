// What looks like a secret although nobody registered it. A second net, not a promise: only registered secrets are certain.

// Members whose value never leaves, whatever it is: compared without case, `_`, `-`, `.` and blanks, at the end of the name.
const SENSITIVE_NAME =
  /(?:passwords?|passwd|pwd|passphrase|secrets?|token|apikeys?|privatekey|secretkey|accesskey|signingkey|authorization|cookies?|credentials?|connectionstring)$/;

/** `max_tokens` and `token_type` are not; `X-Api-Key`, `client_secret`, `refreshToken` and `Set-Cookie` are. */
export function isSensitiveName(name: string): boolean {
  return SENSITIVE_NAME.test(
    name
      .slice(-64)
      .toLowerCase()
      .replace(/[\s_.-]/g, ''),
  );
}

const QUOTE = `(?:\\\\{0,4}["'])?`; // also as it looks in JSON inside JSON
const ASSIGN = `${QUOTE}[ \\t]{0,4}[=:][ \\t]{0,4}`;
const NAMES =
  'password|passwd|pwd|passphrase|secret|token|api[-_ ]?key|private[-_ ]?key|secret[-_ ]?key|access[-_ ]?key|credentials?';

interface Shape {
  readonly expression: RegExp;
  /** Capture groups that stay, before the marker. Whatever else matched is replaced. */
  readonly keeps: number;
}

const HEADERS = '\\bauthorization|\\b(?:set-)?cookie';

// Every quantifier is bounded or ends at a character it cannot contain, so time stays linear in the text.
const SHAPES: readonly Shape[] = [
  // Without quotes the whole rest of the line: schemes have several words (`Digest username="…", response="…"`), cookies several pairs.
  { expression: new RegExp(`(${HEADERS})(${ASSIGN})[^\\s"'\\\\][^\\r\\n]*`, 'gi'), keeps: 2 },
  {
    expression:
      /-----BEGIN ([A-Z ]{0,40})PRIVATE KEY-----[A-Za-z0-9+/=\s\\]{0,8192}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g,
    keeps: 0,
  },
  { expression: /(:\/\/)(?!git@|\[redacted\]@)[^\s/@"'<>]{1,1024}(?=@)/g, keeps: 1 },
  { expression: /\b(bearer)([ \t]{1,4})[A-Za-z0-9._~+/=-]{8,}/gi, keeps: 2 },
  // Base64 of `user:password` has capitals, digits or padding; "basic authentication" has not.
  { expression: /\b([Bb]asic)([ \t]{1,4})(?=[a-z+/]{0,512}[A-Z0-9=])[A-Za-z0-9+/=_-]{8,}/g, keeps: 2 },
  { expression: new RegExp(`(${HEADERS}|${NAMES})(${ASSIGN}\\\\{0,4}")[^"\\r\\n]+`, 'gi'), keeps: 2 },
  { expression: new RegExp(`(${HEADERS}|${NAMES})(${ASSIGN}\\\\{0,4}')[^'\\r\\n]+`, 'gi'), keeps: 2 },
  { expression: new RegExp(`(${NAMES})(${ASSIGN})[^\\s&,;"'\\\\]+`, 'gi'), keeps: 2 },
  // Tokens that vendors made recognisable: GitHub, Slack, AWS, and every JWT.
  {
    expression: /\b(?:gh[opsur]_\w{20,255}|github_pat_\w{20,255}|xox[abeprs]-[\w-]{10,255}|AKIA[0-9A-Z]{16})/g,
    keeps: 0,
  },
  { expression: /\beyJ[\w-]{8,4096}\.[\w-]{8,4096}\.[\w-]{0,4096}/g, keeps: 0 },
];

export function redactShapes(text: string, marker: string): string {
  let out = text;
  for (const { expression, keeps } of SHAPES) {
    out = out.replace(expression, (...match: unknown[]) => match.slice(1, 1 + keeps).join('') + marker);
  }
  return out;
}

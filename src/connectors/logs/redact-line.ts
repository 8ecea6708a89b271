// Secrets are taken out before anything of a line is kept (I7). Each pattern is linear: bounded repeats, and no two
// neighbouring parts that can match the same characters.

const MARK = '[redacted]';

// Nearly every line has no secret: one cheap look decides whether the replacements run at all.
const SUSPECT =
  /passw|pwd|passphrase|secret|token|bearer|basic |authori[sz]|cookie|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|session|signature|credential|A(?:KIA|SIA)|eyJ|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_]|AIza|-----BEGIN|:\/\/[^\s/]{1,256}@/i;

const SECRET_NAME = String.raw`[\w.-]{0,40}?(?:passw(?:or)?d|pwd|passphrase|secret|token|api[-_]?key|access[-_]?key(?:[-_]?id)?|private[-_]?key|credentials?|authorization|cookie|session[-_]?id|signature)`;

const REPLACEMENTS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // A private key in full, or as much of it as the line holds.
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?/g, MARK],
  // Whole header lines: everything after the name is secret, also the parts after a semicolon.
  [/\b((?:set-)?cookie\s{0,4}:\s{0,4})[^\r\n"'}]{1,8192}/gi, `$1${MARK}`],
  [/\b((?:proxy-)?authorization\s{0,4}[:=]\s{0,4}"?)(?:[A-Za-z][\w-]{0,30} )?[^\s"',}]{1,4096}/gi, `$1${MARK}`],
  // JSON members, also in JSON that stands escaped inside a JSON string; an unclosed string ends with the line.
  [
    new RegExp(
      String.raw`(\\{0,3}"${SECRET_NAME}\\{0,3}"\s{0,4}:\s{0,4})(?:\[[^\]]{0,4096}\]?|\\{1,3}"[^"]{0,4096}(?:"|$)|"(?:[^"\\]|\\.){0,4096}(?:"|$)|[^\s,}\]"[\\]{1,512})`,
      'gi',
    ),
    `$1"${MARK}"`,
  ],
  // key=value and key: value, quoted or not.
  [
    new RegExp(
      String.raw`(\b${SECRET_NAME}\s{0,2}[=:]\s{0,2})(?:"[^"\r\n]{0,4096}"?|'[^'\r\n]{0,4096}'?|[^\s"'&,;)}\]]{1,4096})`,
      'gi',
    ),
    `$1${MARK}`,
  ],
  [/\b((?:bearer|basic)\s{1,4})[\w.~+/=-]{6,4096}/gi, `$1${MARK}`],
  [/(:\/\/)[^\s/@]{1,512}@/g, `$1${MARK}@`],
  // Credentials known by their own shape, wherever they stand.
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g, MARK],
  [/\beyJ[\w-]{5,512}\.[\w-]{5,8192}(?:\.[\w-]{0,4096})?/g, MARK],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_](?:live_|test_|proj-)?|AIza)[\w-]{16,256}/g, MARK],
];

/** The text without passwords, tokens, cookies and keys. Total; what it cannot know to be secret stays. */
export function redactLine(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return REPLACEMENTS.reduce((line, [pattern, replacement]) => line.replace(pattern, replacement), text);
}

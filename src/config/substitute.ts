// References in configuration values, by the rules of OpenTelemetry's declarative configuration plus `${file:…}`.
// It works on one scalar after the YAML was parsed, in one pass from left to right, so a value can never become structure
// and never be expanded a second time (T31). A problem names the reference, never what it stands for (I7).

export const SUBSTITUTION_LIMITS = {
  fileCharsMax: 65_536, // a secret file; a longer one is a wrong path and is refused
} as const;

/** Where references look. `readFile` gets the path as written, throws when it cannot be read. */
export interface ReferenceSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

export interface ReferenceProblem {
  readonly problem: string;
  readonly hint: string;
}

export interface Substituted {
  readonly text: string;
  /** Variables and files whose text went in, for origins: `GITHUB_TOKEN`, `file:/run/secrets/github`. */
  readonly references: readonly string[];
  /** Whether YAML may read the result as a number, boolean or null: at least one variable and no file went in. */
  readonly typed: boolean;
  /** Variables that are not set, or empty, and have no default. */
  readonly missing: readonly string[];
  readonly problems: readonly ReferenceProblem[];
}

// `$$` first: it takes its dollar signs away from what follows, as in `$${S}`. An unclosed `${` matches without group.
const TOKEN = /\$\$|\$\{([^}\n]*)\}|\$\{/g;
const VARIABLE = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;
const FILE = /^file:(.+)$/s;

/** Replaces the references of one scalar. Total: what is wrong comes back as data, so that all of it can be reported. */
export function substitute(written: string, sources: ReferenceSources): Substituted {
  const references: string[] = [];
  const missing: string[] = [];
  const problems: ReferenceProblem[] = [];
  let fromFile = false;

  const text = written.replace(TOKEN, (token, inner: string | undefined) => {
    if (token === '$$') return '$';
    if (inner === undefined) {
      problems.push({
        problem: 'a reference is not closed',
        hint: 'write ${NAME}, or $${ for the characters themselves',
      });
      return '';
    }
    const variable = VARIABLE.exec(inner);
    if (variable !== null) {
      const name = variable[1] ?? '';
      const value = Object.hasOwn(sources.env, name) ? sources.env[name] : undefined;
      references.push(name);
      // Empty counts as missing, as in a shell's `:-`: container files pass unset secrets on as empty ones.
      if (value !== undefined && value !== '') return value;
      if (variable[2] === undefined) missing.push(name);
      return variable[2] ?? '';
    }
    const path = FILE.exec(inner)?.[1];
    if (path !== undefined) {
      fromFile = true;
      references.push(`file:${path}`);
      return fileText(path, sources, problems);
    }
    problems.push({
      problem: `\${${inner.slice(0, 60)}} is not a reference`,
      hint: 'write ${NAME}, ${env:NAME}, ${NAME:-default} or ${file:/path}; $${ stands for the characters themselves',
    });
    return '';
  });

  return { text, references, typed: references.length > 0 && !fromFile, missing, problems };
}

function fileText(path: string, sources: ReferenceSources, problems: ReferenceProblem[]): string {
  let text: string;
  try {
    text = sources.readFile(path);
  } catch (error) {
    // Only the code: some systems put more than the path into the message.
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
    problems.push({
      problem: `the file ${path} cannot be read${code}`,
      hint: 'check that it exists and that the user of this process may read it',
    });
    return '';
  }
  if (text.length > SUBSTITUTION_LIMITS.fileCharsMax) {
    problems.push({
      problem: `the file ${path} is longer than ${SUBSTITUTION_LIMITS.fileCharsMax} characters`,
      hint: 'name a file that holds one value',
    });
    return '';
  }
  return text.replace(/\r?\n$/, '');
}

/** How YAML 1.2's core schema reads a plain scalar: what `port: ${PORT}` becomes once PORT's text stands there. */
export function plainScalar(text: string): string | number | boolean | null {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^0o[0-7]+$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text)) return Number(text);
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  return text;
}

// YAML's own spelling of the numbers JSON cannot carry.
const NOT_FINITE = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/**
 * Why a plain number would not arrive as it was written; undefined when it does. A leading zero means octal to some
 * readers and nothing to YAML 1.2, and beyond 2^53 the last digits are lost: both are asked about, never guessed.
 */
export function numberProblem(text: string): ReferenceProblem | undefined {
  if (/^[-+]?0\d+$/.test(text)) {
    return {
      problem: 'a number with a leading zero',
      hint: 'YAML 1.2 ignores the zero: write the number without it, 0o… for octal, or quotes for text',
    };
  }
  if (
    NOT_FINITE.test(text) ||
    plainScalar(text) === Number.POSITIVE_INFINITY ||
    plainScalar(text) === Number.NEGATIVE_INFINITY
  ) {
    return { problem: 'a number without bounds', hint: 'write a finite number, or quotes for text' };
  }
  if (/^(?:[-+]?\d+|0[ox][0-9a-fA-F]+)$/.test(text) && !Number.isSafeInteger(Number(text))) {
    return { problem: 'a number too large to be exact', hint: 'put it in quotes, so that no digit is lost' };
  }
  return undefined;
}

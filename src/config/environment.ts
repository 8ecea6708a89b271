// Environment variables and flags, and the setting each of them stands for. This table is also the documentation:
// docs/configuration.md is written from it.
import type { JsonValue } from '#core/json.ts';
import { pathText, type ConfigProblem } from './problem.ts';

export interface EnvironmentRow {
  readonly variable: string;
  /** The setting it overrides. Absent: read elsewhere, `reads` says where. */
  readonly key?: readonly string[];
  /** For connections of this type that do not set `key` themselves and talk to the public address (no `base_url`). */
  readonly connectionType?: string;
  /** How its text is read; text stays as it is. */
  readonly form: 'number' | 'boolean' | 'text';
  readonly secret?: boolean;
  /** What has to be known beyond the description of the key. */
  readonly reads?: string;
}

/** Several variables of one key: the later row is the more specific one and wins. */
export const ENVIRONMENT: readonly EnvironmentRow[] = [
  { variable: 'RETRY_MAX_ATTEMPTS', key: ['retry', 'max_attempts'], form: 'number' },
  { variable: 'CONNECTOR_RETRY_MAX_ATTEMPTS', key: ['retry', 'max_attempts'], form: 'number' },
  { variable: 'RETRY_BASE_MS', key: ['retry', 'base_ms'], form: 'number' },
  { variable: 'CONNECTOR_RETRY_BASE_DELAY_MS', key: ['retry', 'base_ms'], form: 'number' },
  { variable: 'RETRY_CAP_MS', key: ['retry', 'cap_ms'], form: 'number' },
  { variable: 'RETRY_JITTER_PCT', key: ['retry', 'jitter_pct'], form: 'number' },
  { variable: 'CB_FAILURES_TO_OPEN', key: ['circuit_breaker', 'failures_to_open'], form: 'number' },
  { variable: 'CONNECTOR_CIRCUIT_BREAKER_THRESHOLD', key: ['circuit_breaker', 'failures_to_open'], form: 'number' },
  { variable: 'CB_COOLDOWN_S', key: ['circuit_breaker', 'cooldown_seconds'], form: 'number' },
  { variable: 'CB_HALF_OPEN_PROB', key: ['circuit_breaker', 'half_open_probability'], form: 'number' },
  { variable: 'CONNECTOR_TIMEOUT_MS', key: ['calls', 'timeout_ms'], form: 'number' },
  { variable: 'CONNECTOR_HEALTH_P95_MS', key: ['health', 'p95_ms'], form: 'number' },
  { variable: 'CONNECTOR_HEALTH_ERROR_RATE', key: ['health', 'error_rate'], form: 'number' },
  { variable: 'OAUTH_REFRESH_SAFETY_WINDOW_S', key: ['oauth', 'refresh_safety_window_seconds'], form: 'number' },
  { variable: 'OAUTH2_REQUIRED', key: ['oauth', 'required'], form: 'boolean' },
  { variable: 'OBS_METRICS_ENABLED', key: ['metrics', 'enabled'], form: 'boolean' },
  { variable: 'WEIR_DATA', key: ['data'], form: 'text' },
  { variable: 'WEIR_HOST', key: ['server', 'host'], form: 'text' },
  { variable: 'WEIR_PORT', key: ['server', 'port'], form: 'number' },
  { variable: 'WEIR_LOG_FILE', key: ['logging', 'file'], form: 'text' },
  { variable: 'WEIR_LOG_LEVEL', key: ['logging', 'level'], form: 'text' },
  { variable: 'GITHUB_TOKEN', key: ['credentials'], connectionType: 'github', form: 'text', secret: true },
  { variable: 'GITHUB_WEBHOOK_SECRET', key: ['webhook_secret'], connectionType: 'github', form: 'text', secret: true },
  { variable: 'WEIR_CONFIG', form: 'text', reads: 'Path of weir.yaml; the flag --config goes first.' },
  {
    variable: 'USER_ROLE',
    form: 'text',
    reads: 'Role of whoever types a command on this machine: Admin, Deployer or Operator.',
  },
  {
    variable: 'REDIS_PASSWORD',
    form: 'text',
    secret: true,
    reads: 'No setting of its own; may be named in a reference: "${REDIS_PASSWORD}".',
  },
  {
    variable: 'OAUTH_TOKEN_PATH',
    form: 'text',
    reads: 'Accepted without effect: tokens are kept sealed in the data directory.',
  },
];

/** Flags of the command line that are settings; the parser of flags has already typed them. */
export interface ConfigFlags {
  readonly data?: string;
  readonly host?: string;
  readonly port?: number;
}

const FLAG_KEYS = { data: ['data'], host: ['server', 'host'], port: ['server', 'port'] } as const;

export type Variables = Readonly<Record<string, string | undefined>>;

/** One value from outside the files, with the setting it is for. */
export interface OuterSetting {
  readonly path: readonly string[];
  readonly value: JsonValue;
  readonly origin:
    { readonly kind: 'environment'; readonly variable: string } | { readonly kind: 'flag'; readonly flag: string };
}

export interface OuterSettings {
  /** In rising precedence. */
  readonly settings: readonly OuterSetting[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** A variable that is set but empty counts as not set: container files pass unset ones on that way. */
export function valueOf(env: Variables, variable: string): string | undefined {
  const text = Object.hasOwn(env, variable) ? env[variable] : undefined;
  return text === '' ? undefined : text;
}

export function environmentSettings(env: Variables): OuterSettings {
  const settings: OuterSetting[] = [];
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];
  for (const row of ENVIRONMENT) {
    const text = valueOf(env, row.variable);
    if (text === undefined || row.connectionType !== undefined) continue;
    const origin = `environment ${row.variable}`;
    if (row.key === undefined) {
      if (row.variable === 'OAUTH_TOKEN_PATH')
        warnings.push({
          origin,
          path: '',
          problem: 'has no effect',
          hint: 'tokens are kept sealed in the data directory: unset it',
        });
      continue;
    }
    const value = readForm(text, row.form);
    if (value === undefined)
      problems.push({
        origin,
        path: pathText(row.key),
        problem: `must be ${FORM_WORDS[row.form]}`,
        hint: 'correct or unset the variable',
      });
    else settings.push({ path: row.key, value, origin: { kind: 'environment', variable: row.variable } });
  }
  return { settings, problems, warnings };
}

export function flagSettings(flags: ConfigFlags): readonly OuterSetting[] {
  return (['data', 'host', 'port'] as const).flatMap((name): OuterSetting[] => {
    const value = flags[name];
    return value === undefined ? [] : [{ path: FLAG_KEYS[name], value, origin: { kind: 'flag', flag: `--${name}` } }];
  });
}

const FORM_WORDS: Readonly<Record<EnvironmentRow['form'], string>> = {
  number: 'a number',
  boolean: 'true or false',
  text: 'text',
};

// More words than YAML allows: variables have no types, and all of these are usual in deployment files.
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  '1': true,
  yes: true,
  on: true,
  false: false,
  '0': false,
  no: false,
  off: false,
};

function readForm(text: string, form: EnvironmentRow['form']): JsonValue | undefined {
  if (form === 'text') return text;
  const word = text.trim().toLowerCase();
  if (form === 'boolean') return Object.hasOwn(BOOLEANS, word) ? BOOLEANS[word] : undefined;
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(word) && Number.isFinite(Number(word))
    ? Number(word)
    : undefined;
}

// The weir.yaml that the first start and `weir init` write: real data of this machine, no account needed.

export interface DefaultConfigOptions {
  /** Path of the schema file, relative to the new weir.yaml; absent outside a clone: the first line is then left out. */
  readonly schemaPath?: string;
  /** Repository of the `git` connection; absolute or relative to the new weir.yaml. */
  readonly repositoryPath: string;
  /** Directory of documents inside that repository. */
  readonly docsPath: string;
  /** Pattern of Weir's own log files; absolute or relative to the new weir.yaml. */
  readonly logsPath: string;
  /** Where Weir itself shall write the log that `logsPath` matches; absent: only to standard output. */
  readonly logFile?: string;
  /** Further directories the local connectors may read, when the paths above lie outside the directory of weir.yaml. */
  readonly allowedPaths?: readonly string[];
}

/** Commented YAML text, ending in a newline. Paths are quoted, so any name is safe. */
export function defaultConfigText(options: DefaultConfigOptions): string {
  const allowed = options.allowedPaths ?? [];
  const lines = [
    ...(options.schemaPath === undefined ? [] : [`# yaml-language-server: $schema=${options.schemaPath}`]),
    '# What Weir connects to. All keys: docs/configuration.md. After a change: weir check',
    '# ${NAME} takes an environment variable, ${NAME:-default} falls back, ${file:/path} reads a file: keep secrets out of here.',
    '',
    'connectors:',
    '  # Documents and commits of a local git repository. Only what is committed counts.',
    '  git:',
    '    poll_interval_seconds: 60',
    '    metadata:',
    `      path: ${quote(options.repositoryPath)}`,
    `      docs_path: ${quote(options.docsPath)}`,
    '      commits: true # each commit is an event on the timeline',
    '      # ref: main # default: what is checked out',
    '',
    '  # CPU, memory, load, disk and event-loop delay of this machine; what is unusual becomes an event.',
    '  host:',
    '    poll_interval_seconds: 10',
    '    metadata:',
    '      interval_seconds: 5 # between two samples',
    '',
    "  # Weir's own log files. Add the files of your services: paths may hold * and **.",
    '  logs:',
    '    poll_interval_seconds: 10',
    '    metadata:',
    `      paths: [${quote(options.logsPath)}]`,
    '      format: auto # or json, text',
    '      min_severity: medium # low, medium, high or critical',
    '',
    '  # A repository on GitHub: take the # away, set GITHUB_TOKEN, start again.',
    '  # github:',
    '  #   poll_interval_seconds: 300',
    '  #   credentials: "${GITHUB_TOKEN}"',
    '  #   webhook_secret: "${GITHUB_WEBHOOK_SECRET}"',
    '  #   metadata:',
    '  #     owner: your-org',
    '  #     repo: your-repo',
    '  #     docs_path: docs',
    '',
    ...(options.logFile === undefined
      ? []
      : [
          "# Weir's own log: what the connector `logs` above reads.",
          'logging:',
          `  file: ${quote(options.logFile)}`,
          '',
        ]),
    ...(allowed.length === 0
      ? []
      : [
          '# Directories that git and logs may read.',
          'allowed_paths:',
          ...['.', ...allowed].map((path) => `  - ${quote(path)}`),
          '',
        ]),
    '# server:',
    '#   port: 8000 # the next free one when it is taken',
    '# data: .weir # where everything is stored',
  ];
  return `${lines.join('\n')}\n`;
}

/** JSON's strings are YAML's double-quoted ones; `$$` keeps a dollar sign in a path from being read as a reference. */
function quote(text: string): string {
  return JSON.stringify(text.replaceAll('$', '$$$$'));
}

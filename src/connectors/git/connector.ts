import { defineConnector } from '#sdk/index.ts';
import { checkRepository } from './check.ts';
import { commitsStream } from './commits-stream.ts';
import { docsStream } from './docs-stream.ts';
import { GitConfigSchema, type GitConfig } from './git-config.ts';

export default defineConnector<GitConfig>({
  type: 'git',
  version: '1.0.0',
  title: 'Git repository',
  stability: 'stable',
  config: GitConfigSchema,
  limits: { callTimeoutMs: 120_000, pollIntervalMsDefault: 60_000 },
  check: checkRepository,
  streams: { docs: docsStream, commits: commitsStream },
  enabledStreams: (config) => (config.commits ? ['docs', 'commits'] : ['docs']),
});

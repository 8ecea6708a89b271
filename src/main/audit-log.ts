import { dirname } from 'node:path';
import type { WeirConfig } from '#config/config.ts';
import type { Env } from '#core/env.ts';
import type { OperationContext } from '#operations/operation.ts';
import { makeDirectory } from '#storage/sqlite/make-directory.ts';
import { createLogger, type LogStream } from '#telemetry/logger.ts';
import type { Redactor } from '#telemetry/redaction.ts';
import { openRotatingFile } from '#telemetry/rotating-file.ts';

type Audit = NonNullable<OperationContext['audit']>;

export interface AuditLogOptions {
  readonly streams: readonly LogStream[];
  readonly redactor: Redactor;
  readonly env: Env;
}

/** One line per change, whatever level the rest of the log has. */
export function auditLog({ streams, redactor, env }: AuditLogOptions): Audit {
  const logger = createLogger({ level: 'info', streams, redactor, clock: env.clock, component: 'audit' });
  return ({ at: _, ...entry }) => logger.info(`${entry.operation}: ${entry.outcome}`, entry);
}

/** Of a command that changed the data by itself: into the log file, when there is one. Its own answer is on the terminal. */
export function commandAuditLog(config: WeirConfig, parts: Pick<AuditLogOptions, 'redactor' | 'env'>): Audit {
  const { file, fileBytesMax } = config.logging;
  if (file === undefined) return () => {};
  return (entry) => {
    try {
      makeDirectory(dirname(file));
      const stream = openRotatingFile({ path: file, bytesMax: fileBytesMax });
      auditLog({ ...parts, streams: [stream] })(entry);
      stream.close();
    } catch {
      // The change is done: a log that cannot be opened must not make it look as if it had failed.
    }
  };
}

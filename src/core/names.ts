import { z } from 'zod';

/** Tenants, connections, streams and sinks share one shape: safe in paths, labels, URLs and SQL without escaping (T35). */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export const NameSchema = z
  .string()
  .regex(NAME_PATTERN, 'must be 1 to 63 of a-z, 0-9, _ and -, beginning with a letter or digit');

/** Who owns what: every row is reached through its tenant (I9). */
export interface ConnectionRef {
  readonly tenant: string;
  readonly connection: string;
}

export interface StreamRef extends ConnectionRef {
  readonly stream: string;
}

export function streamLeaseName(of: StreamRef): string {
  return `pull:${of.tenant}/${of.connection}/${of.stream}`;
}

export function partitionLeaseName(sink: string, partition: number): string {
  return `deliver:${sink}/${partition}`;
}

import { hash } from 'node:crypto';

/** Fixed when a log is created: another number would move keys between partitions and break their order. */
export const PARTITIONS = 16;

/**
 * Which partition holds a key's events; the same function in every engine. `secret` is the installation's own, so that
 * nobody outside can choose keys that fall into a victim's partition (T66). Lengths keep ('ab','c') apart from ('a','bc').
 */
export function partitionOf(secret: string, tenant: string, key: string): number {
  const digest = hash('sha256', `${secret}${tenant.length}:${tenant}${key}`, 'hex');
  return Number.parseInt(digest.slice(0, 2), 16) % PARTITIONS;
}

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseHeartbeat, type Heartbeat } from '#engine/heartbeat.ts';
import { toDiskFault } from './disk.ts';

const INSTANCE_FILE = 'instance.json';
const HEARTBEAT_FILE = 'worker_heartbeat.json';
const PRIVATE = 0o600;

const InstanceSchema = z.object({ pid: z.int(), url: z.url(), started_at: z.iso.datetime() });
export type Instance = z.infer<typeof InstanceSchema>;

/** How other commands find the running instance: a hint only, the lock on the data tells who really holds it. */
export function readInstance(data: string): Instance | undefined {
  const parsed = InstanceSchema.safeParse(readJson(join(data, INSTANCE_FILE)));
  return parsed.success ? parsed.data : undefined;
}

export function writeInstance(data: string, instance: Instance): void {
  writeWhole(join(data, INSTANCE_FILE), `${JSON.stringify(instance)}\n`);
}

export function removeInstance(data: string): void {
  rmSync(join(data, INSTANCE_FILE), { force: true });
}

export function writeHeartbeat(data: string, text: string): void {
  writeWhole(join(data, HEARTBEAT_FILE), text);
}

export function readHeartbeat(data: string): Heartbeat | undefined {
  const file = join(data, HEARTBEAT_FILE);
  return existsSync(file) ? parseHeartbeat(readFileSync(file, 'utf8')) : undefined;
}

/** A reader sees the old file or the new one, never half of it. */
function writeWhole(file: string, text: string): void {
  try {
    writeFileSync(`${file}.new`, text, { mode: PRIVATE });
    renameSync(`${file}.new`, file);
  } catch (error) {
    rmSync(`${file}.new`, { force: true });
    throw toDiskFault(error, file);
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // absent or half written: as good as none
  }
}

import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '#core/fault.ts';

const MODE = 0o700; // what is in it belongs to the user who runs Weir

/** Creates the directory and what is missing above it. Throws `storage_unreachable`. */
export function makeDirectory(directory: string): void {
  try {
    createMissing(directory);
  } catch (error) {
    throw new Fault('storage_unreachable', `${directory} cannot be created`, {
      cause: error,
      details: { place: directory },
    });
  }
}

// One level at a time: the recursive form of mkdir spins for ever where a parent exists but takes no children (/proc).
function createMissing(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(directory);
  if (parent !== directory) createMissing(parent);
  mkdirSync(directory, { mode: MODE });
}

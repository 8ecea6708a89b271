import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const COLLECTIONS = 2; // what the first one finalises the second one frees

/** Bytes of live objects: garbage is collected first. */
export function liveHeapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // the flag just set puts it into every new context
  for (let done = 0; done < COLLECTIONS; done += 1) collect();
  return process.memoryUsage().heapUsed;
}

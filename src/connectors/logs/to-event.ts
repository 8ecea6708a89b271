import { hash } from 'node:crypto';
import { EVENT_LIMITS, type EventDraft, toPlainLine, versionOfCounter } from '#sdk/index.ts';
import type { FileState } from './file-state.ts';
import type { Group } from './group.ts';

const KEY_HEX_DIGITS = 32;
const OTHER_LINES = '<other lines>';

/** `mtimeMs`: when the file was last written, for groups whose lines carry no time. */
export function toEvent(file: FileState, group: Group, mtimeMs: number): EventDraft {
  const template = toPlainLine(
    group.template?.words.join(' ') ?? OTHER_LINES,
    EVENT_LIMITS.titleCharsMax,
  ).toWellFormed();
  const last = new Date(group.lastMs ?? mtimeMs).toISOString();
  const title = toPlainLine(group.title).toWellFormed();
  return {
    kind: 'signal',
    op: 'upsert',
    key: keyOf(file, group),
    // A group only ever grows towards the end of its file (a stack trace that was still being written), its times need not.
    version: versionOfCounter(group.end),
    time: last,
    severity: group.severity,
    ...(title === '' ? {} : { title }),
    tags: [...group.tags],
    text: group.samples.map((sample) => sample.text).join('\n'),
    context: group.context,
    data: {
      template,
      level: group.level,
      count: group.count,
      first: new Date(group.firstMs ?? mtimeMs).toISOString(),
      last,
      path: file.path,
      offset: group.start,
      samples: group.samples.map(({ start, text, truncated }) => ({ offset: start, text, truncated })),
    },
  };
}

// The same bytes of the same file give the same key after any restart. The serial keeps files apart that got the same inode.
function keyOf(file: FileState, group: Group): string {
  const identity = JSON.stringify([file.serial, file.dev, file.ino, group.start]);
  return hash('sha256', identity, 'hex').slice(0, KEY_HEX_DIGITS);
}

import {
  chmodSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { addSinkText, sinkEntryText } from '#config/add-sink.ts';
import { Fault } from '#core/fault.ts';
import type { JsonObject } from '#core/json.ts';

export interface AddSinkOptions {
  /** Absolute path of weir.yaml. */
  readonly file: string;
  readonly name: string;
  readonly entry: JsonObject;
  /** Reads the whole configuration with this text in place of the file's. Throws `config_invalid` with everything wrong; resolves with warnings. */
  readonly validate: (text: string) => Promise<readonly string[]>;
}

export interface AddedSink {
  readonly file: string;
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Writes only what is valid as a whole, and in one step: a reader sees the old file or the new one. */
export async function addSink({ file, name, entry, validate }: AddSinkOptions): Promise<AddedSink> {
  if (!existsSync(file)) throw new Fault('config_invalid', `${file} does not exist; \`weir init\` writes one`);
  const target = realpathSync(file);
  const before = readFileSync(target, 'utf8');
  const after = addSinkText(before, name, entry);
  const warnings = await validate(after);
  if (readFileSync(target, 'utf8') !== before)
    throw new Fault('input_invalid', `${file} was changed by somebody else meanwhile; nothing was written, try again`);
  const next = `${target}.new`;
  try {
    writeFileSync(next, after, { flag: 'wx' });
    chmodSync(next, statSync(target).mode); // the mode it was given by whoever wrote it, whatever this process would choose
    renameSync(next, target);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) rmSync(next, { force: true });
    throw new Fault('storage_unreachable', `${file} cannot be written (through ${next})`, {
      cause: error,
      details: { place: target },
    });
  }
  return { file, text: sinkEntryText(name, entry), warnings };
}

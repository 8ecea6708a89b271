import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PrivateFile, Surroundings } from '#cli/host.ts';
import { Fault } from '#core/fault.ts';

const PRIVATE = 0o600;

/** The terminal and the files of the process. `interrupted`: Ctrl-C at a question ends the command as anywhere else. */
export function surroundingsOf(self: NodeJS.Process, interrupted: AbortController): Surroundings {
  const at = (path: string): string => resolve(self.cwd(), path);
  return {
    interactive: self.stdin.isTTY === true && self.stderr.isTTY === true,
    ask: (question) => ask(self, question, interrupted),
    readText: (path, bytesMax) =>
      path === '-' ? readStream(self.stdin, bytesMax) : Promise.resolve(readFile(at(path), bytesMax)),
    createPrivate: (path, { replace }) => createPrivate(at(path), replace),
  };
}

async function ask(self: NodeJS.Process, question: string, interrupted: AbortController): Promise<string> {
  const { createInterface } = await import('node:readline'); // most commands ask nothing
  const lines = createInterface({ input: self.stdin, output: self.stderr });
  return new Promise((resolveLine) => {
    // A closed input, or Ctrl-C, is no answer.
    lines.once('close', () => resolveLine(''));
    lines.once('SIGINT', () => {
      interrupted.abort(130);
      lines.close();
    });
    lines.question(question, (line) => {
      resolveLine(line);
      lines.close();
    });
  });
}

function readFile(path: string, bytesMax: number): string {
  try {
    if (statSync(path).size > bytesMax) throw tooLarge(path, bytesMax);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('input_invalid', `${path} cannot be read`, { cause: error });
  }
}

async function readStream(input: NodeJS.ReadStream, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an encoding set, a stream of Node yields buffers; its type does not say so.
  for await (const chunk of input as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge('standard input', bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(what: string, bytesMax: number): Fault {
  return new Fault('input_invalid', `${what} has more than ${bytesMax} bytes`);
}

/** Written beside its place and moved there when it is whole: what `replace` replaces stays until then. */
function createPrivate(path: string, replace: boolean): PrivateFile {
  const unfinished = `${path}.new`;
  if (!replace && existsSync(path)) throw new Fault('input_invalid', `${path} is there already; --force replaces it`);
  const fd = openNew(unfinished);
  return {
    path,
    write(text) {
      const bytes = Buffer.from(text);
      try {
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      } catch (error) {
        throw new Fault('storage_full', `${path} cannot be written`, { cause: error, details: { place: path } });
      }
    },
    close() {
      closeSync(fd);
      renameSync(unfinished, path);
    },
    abandon() {
      closeSync(fd);
      rmSync(unfinished, { force: true });
    },
  };
}

function openNew(path: string): number {
  try {
    rmSync(path, { force: true }); // of an export that was killed
    return openSync(path, 'wx', PRIVATE);
  } catch (error) {
    throw new Fault('input_invalid', `${path} cannot be written`, { cause: error });
  }
}

import { fstatSync, write } from 'node:fs';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';

/** Where bytes go, one piece at a time. */
export interface Output {
  /** What it is, in a few words. */
  readonly name: string;
  /**
   * Resolves with the number of bytes that were taken, at least one, when there is room for more; rejects with what the system said. May be given up when
   * the signal aborts: it then rejects, and what becomes of the bytes is not known.
   */
  write(bytes: Buffer, signal: AbortSignal): Promise<number>;
}

/** Standard output as it is: a file is written to without Node's stream, which would lose the end of a write that a full disk cut short. */
export function standardOutput(): Output {
  const kind = fstatSync(1);
  if (process.stdout.isTTY) return terminal(process.stdout);
  if (kind.isFIFO() || kind.isSocket()) return streamed(process.stdout, kind.isFIFO() ? 'a pipe' : 'a socket');
  return fileOutput(1, kind.isFile() ? 'a file' : 'a device');
}

/** A file is never slow for longer than its disk. */
export function fileOutput(fd: number, name: string): Output {
  const writeTo = promisify(write);
  return {
    name,
    // With no position: a file that others append to as well (`>>`) is appended to.
    write: async (bytes) => (await writeTo(fd, bytes, 0, bytes.length, null)).bytesWritten,
  };
}

/** A pipe or a socket: its reader sets the pace. */
export function streamed(stream: Writable, name: string): Output {
  // Told by `write`, too.
  stream.on('error', () => {});
  return {
    name,
    async write(bytes, signal) {
      await new Promise<void>((resolve, reject) => {
        const over = (): void => reject(new Error('given up'));
        signal.addEventListener('abort', over, { once: true });
        stream.write(bytes, (error) => {
          signal.removeEventListener('abort', over);
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      });
      return bytes.length;
    },
  };
}

/** JSON escapes most control characters. The others come from a log, and a terminal would obey them. */
const CONTROL = /[\x7f-\x9f]/g;

function terminal(stream: Writable): Output {
  const out = streamed(stream, 'a terminal');
  return {
    name: out.name,
    async write(bytes, signal) {
      await out.write(Buffer.from(shown(bytes)), signal);
      return bytes.length;
    },
  };
}

/** Whole rows as they may be shown: the same JSON values. */
export function shown(rows: Buffer): string {
  return rows.toString('utf8').replace(CONTROL, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

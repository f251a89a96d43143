import { accessSync, constants, createReadStream, openSync, type Stats } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { errorCode, UsageError } from '../../errors.ts';
import type { ByteSource } from '../source.ts';
import { READ_BYTES } from './log-file.ts';

/** Where the descriptors of this process are. */
const OWN = '/dev/fd/';

/**
 * A named pipe, `/dev/fd/63`: read only once, and to its end; with `follow` it has none, and its writers may come and go.
 */
export function pipeSource(path: string, follow: boolean): ByteSource {
  if (follow) checkHeld(path);
  return {
    name: path,
    resumes: false,
    follows: follow,
    open: () => ({ bytes: follow ? held(path) : opened(path), offset: 0 }),
    position: (offset) => ({ path, offset }),
  };
}

/** True when other writers may come: nobody else finds the pipe of `--input <(command)`, which ends with its command. */
export function hasWriters(path: string, stats: Stats): boolean {
  return stats.isFIFO() && !path.startsWith(OWN);
}

/** Throws a UsageError when the other end cannot be opened too. */
function checkHeld(path: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    const todo = 'let the user of steptap write to it too, or leave --follow out';
    throw new UsageError(`--input ${path}: cannot be held open for its writers (${code}): ${todo}`, { cause: error });
  }
}

/**
 * With the other end open here too, a writer that leaves is not the end (Fluent Bit's `file` output opens and closes it with every flush), and what is written while
 * nobody else has it open does not vanish.
 */
function held(path: string): Readable {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}

/**
 * The pipe of `--input <(command)` is read as a socket is: a thread that waits in `read` could not be stopped, and there are four. One with a name
 * may have no writer yet, and has to be waited for.
 */
function opened(path: string): Readable {
  if (!path.startsWith(OWN)) return createReadStream(path, { highWaterMark: READ_BYTES });
  return new Socket({ fd: openSync(path, 'r'), readable: true, writable: false });
}

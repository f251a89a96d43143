import { constants, createReadStream, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ByteSource } from '../source.ts';
import { READ_BYTES } from './log-file.ts';

/**
 * A named pipe, `/dev/fd/63`: read only once, and to its end; with `follow` it has none, and its writers may come and go.
 */
export function pipeSource(path: string, follow: boolean): ByteSource {
  return {
    name: path,
    resumes: false,
    follows: follow,
    open: () => ({ bytes: follow ? held(path) : opened(path), offset: 0 }),
    position: (offset) => ({ path, offset }),
  };
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
  if (!path.startsWith('/dev/fd/')) return createReadStream(path, { highWaterMark: READ_BYTES });
  return new Socket({ fd: openSync(path, 'r'), readable: true, writable: false });
}

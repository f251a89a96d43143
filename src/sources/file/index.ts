import { createReadStream, statSync } from 'node:fs';
import { errorCode, UsageError } from '../../errors.ts';
import type { Source } from '../source.ts';

/** Large enough that reading costs next to nothing per line, small enough that a few of them in flight are no memory to speak of. */
const READ_BYTES = 1 << 19;

/** A file, read from its start to its end. Throws a UsageError when it cannot be read. */
export function fileSource(path: string): Source {
  try {
    if (statSync(path).isDirectory()) throw new UsageError(`--input ${path}: is a directory; name a file`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const reason = errorCode(error) === 'ENOENT' ? 'there is no such file' : `cannot be read (${errorCode(error)})`;
    throw new UsageError(`--input ${path}: ${reason}`, { cause: error });
  }
  return {
    name: path,
    open: () => createReadStream(path, { highWaterMark: READ_BYTES }),
    position: (offset) => ({ path, offset }),
  };
}

import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { resolve } from 'node:path';
import { systemClock, type Clock } from '../../clock.ts';
import { errorCode, UsageError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Opened, ByteSource } from '../source.ts';
import { hasWriters, pipeSource } from './pipe.ts';
import { readFilePosition } from './position.ts';
import { Tail } from './tail.ts';

export interface FileOptions {
  /** Goes on at the end: with what is written later, and with the file that takes its place. Waits for one that is not there. */
  readonly follow?: boolean;
  /** Reads from the beginning, though there is a position. */
  readonly from_start?: boolean;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** A file, read from its position to its end. Throws a UsageError when it cannot be read. */
export function fileSource(given: string, options: FileOptions = {}): ByteSource {
  // Positions are kept under it: `./a.log` is not another file than `a.log`, nor the same as that of another directory.
  const path = resolve(given);
  const { follow = false, from_start = false, clock = systemClock, log = () => {} } = options;
  const stats = checkReadable('--input', given, follow);
  if (stats !== undefined && !stats.isFile()) return pipeSource(path, follow && hasWriters(path, stats));
  let tail: Tail | undefined;
  return {
    name: path,
    resumes: true,
    follows: follow,
    open(position): Opened {
      const from = from_start ? undefined : readFilePosition(position);
      const bytes = (tail = new Tail({ path, follow, from, clock, log }));
      if (!bytes.any && !follow) throw new UsageError(`--input ${given}: there is no such file`);
      const { offset, resumed } = bytes;
      return resumed ? { bytes, offset } : { bytes, offset, carried: from_start ? 'again' : 'end' };
    },
    position: (offset) => tail?.places.of(offset) ?? { path, offset },
    reuse: (read) => tail?.reuse(read),
  };
}

/** Undefined when there is none, and it is waited for. Throws a UsageError that names the option when it cannot be read. */
export function checkReadable(option: string, path: string, follow = false): Stats | undefined {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) throw new UsageError(`${option} ${path}: is a directory; name a file`);
    accessSync(path, constants.R_OK);
    return stats;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = errorCode(error);
    if (follow && code === 'ENOENT') return undefined;
    const reason = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
    throw new UsageError(`${option} ${path}: ${reason}`, { cause: error });
  }
}

import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { resolve } from 'node:path';
import { systemClock, type Clock } from '../../clock.ts';
import { errorCode, UsageError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Opened, ByteSource } from '../source.ts';
import { findAgain } from './find.ts';
import { LogFile } from './log-file.ts';
import { pipeSource } from './pipe.ts';
import { Places } from './places.ts';
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
  if (stats !== undefined && !stats.isFile()) return pipeSource(path, follow && stats.isFIFO());
  const places = new Places(path);
  let tail: Tail | undefined;
  return {
    name: path,
    resumes: true,
    follows: follow,
    open(from): Opened {
      const current = LogFile.open(path);
      const position = from_start ? undefined : readFilePosition(from);
      const found = position === undefined ? undefined : findAgain(path, position, current, log);
      const older = found !== undefined && found !== current;
      if (older) current?.close();
      const file = found ?? current;
      if (file === undefined && !follow) throw new UsageError(`--input ${given}: there is no such file`);
      const bytes = (tail = new Tail({ path, file, older, follow, places, clock, log }));
      const offset = file?.offset ?? 0;
      return found === undefined ? { bytes, offset, carried: from_start ? 'again' : 'end' } : { bytes, offset };
    },
    position: (offset) => places.of(offset),
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

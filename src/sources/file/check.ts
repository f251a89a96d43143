import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Position } from '../../batch.ts';
import type { CheckItem } from '../../check/item.ts';
import { bytesText } from '../../check/words.ts';
import { systemClock } from '../../clock.ts';
import { errorCode } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { Generations } from './generations.ts';
import type { FileOptions } from './index.ts';
import { filesOf, realPath } from './listing.ts';
import { Places } from './places.ts';
import { hasWriters } from './pipe.ts';
import { identityOf, readFilePosition, sameFile } from './position.ts';

/** Whether a file can be read, and where a run would begin, given the position that the spool has of it. */
export function checkFile(
  given: string,
  options: FileOptions & { readonly once?: boolean },
  from: Position | undefined,
): CheckItem[] {
  const item = { what: 'file', where: given };
  try {
    const stats = statSync(given);
    if (stats.isDirectory()) return [{ ...item, state: 'problem', found: 'is a directory', todo: 'name a file' }];
    accessSync(given, constants.R_OK);
    if (!stats.isFile()) {
      if (options.once === true) {
        return [{ ...item, state: 'problem', found: 'is no regular file', todo: 'name one: it is read twice' }];
      }
      const held = options.follow === true && hasWriters(given, stats);
      if (held) accessSync(given, constants.W_OK);
      const long = held ? 'as long as steptap runs' : 'to its end';
      return [{ ...item, state: 'ok', found: `is no regular file: it is read ${long}, and only once` }];
    }
    return [{ ...item, ...begin(resolve(given), options, from) }];
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code !== 'ENOENT') {
      const todo = 'let the user of steptap read it, and write to it where it is a named pipe that is followed';
      return [{ ...item, state: 'problem', found: `cannot be read (${code})`, todo }];
    }
    if (options.follow !== true) {
      return [
        {
          ...item,
          state: 'problem',
          found: 'there is no such file',
          todo: 'check its name, or let it be waited for with follow',
        },
      ];
    }
    return [
      {
        ...item,
        state: 'warning',
        found: 'is not there yet: a run waits for it',
        todo: 'check its name, unless it comes later',
      },
    ];
  }
}

/** What is found here is what a run finds, as it is found in the same way: the file may have been rotated, or written anew. */
function begin(
  path: string,
  { from_start = false }: FileOptions,
  from: Position | undefined,
): Pick<CheckItem, 'state' | 'found'> {
  const size = statSync(path).size;
  const position = readFilePosition(from);
  if (from_start || position === undefined) {
    const why = position === undefined ? 'never read before' : 'from_start';
    return { state: 'ok', found: `${bytesText(size)}; read from its beginning (${why})` };
  }
  const warnings: string[] = [];
  const places = new Places(path);
  const log: Log = (_, message) => warnings.push(message);
  const files = new Generations({ path, follow: false, places, clock: systemClock, log });
  const real = realPath(path);
  files.resume(filesOf(real), position);
  files.close();
  const [warning] = warnings;
  if (warning !== undefined) return { state: 'warning', found: warning.replace(`${path} `, '') };
  const at = readFilePosition(places.of(files.offset))!;
  if (!sameFile(at, identityOf(statSync(path, { bigint: true }))))
    return {
      state: 'ok',
      found: `${bytesText(size)}; a file that was rotated is finished first, from byte ${at.offset}`,
    };
  const left = size - at.offset;
  return {
    state: 'ok',
    found: `${bytesText(size)}; goes on at byte ${at.offset}, ${left === 0 ? 'its end' : `${bytesText(left)} to read`}`,
  };
}

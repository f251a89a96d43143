import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorCode } from '../errors.ts';
import type { CheckItem } from './item.ts';

/** The first directory on the way up that there is; undefined when something else is in the way, or nobody may look. */
export function nearest(path: string): string | undefined {
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      return statSync(at).isDirectory() ? at : undefined;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || dirname(at) === at) return undefined;
    }
  }
}

/** A directory that a run writes to, and makes if need be. Asks for permission only: nothing is written to find out. */
export function directoryItem(what: string, path: string): CheckItem {
  const item = { what, where: path };
  const at = nearest(path);
  if (at === undefined) {
    const found = 'cannot be made: something on the way to it is no directory, or may not be entered';
    return { ...item, state: 'problem', found, todo: 'name a directory of your own' };
  }
  const there = at === resolve(path);
  try {
    accessSync(at, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    const found = there ? `cannot be written (${code})` : `cannot be made: ${at} cannot be written (${code})`;
    return {
      ...item,
      state: 'problem',
      found,
      todo: 'check its owner and permissions, or name a directory of your own',
    };
  }
  return { ...item, state: 'ok', found: there ? 'is there and can be written' : 'is not there yet; a run makes it' };
}

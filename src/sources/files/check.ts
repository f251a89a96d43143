import { accessSync, constants, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Position } from '../../batch.ts';
import type { CheckItem } from '../../check/item.ts';
import { countText } from '../../check/words.ts';
import { errorCode } from '../../errors.ts';
import { Discovery } from './discovery.ts';
import { Folders } from './folders.ts';
import type { FilesOptions } from './schema.ts';
import { Selection } from './selection.ts';
import { todoOf } from './unreadable.ts';

/** More are not named: they will all have one reason. */
const MOST_NAMED = 10;

/** How many logs a run would read, which it could not and why, and whether changes are told. */
export function checkFiles(
  options: FilesOptions,
  positions: ReadonlyMap<string, Position>,
  environment: Readonly<Record<string, string | undefined>>,
): CheckItem[] {
  const discovery = new Discovery(options, new Selection(options, environment));
  const logs = new Set<string>();
  const problems: CheckItem[] = [];
  let [excluded, unread] = [0, 0];
  const folders = new Folders({
    globs: discovery.globs,
    watches: false,
    found(path) {
      const found = discovery.look(path);
      if (found.is === 'excluded') excluded += 1;
      if (found.is === 'refused') problems.push({ what: 'log', where: path, state: 'warning', found: found.why });
      if (found.is !== 'log' || logs.has(found.path)) return;
      logs.add(found.path);
      const code = unreadable(found.path);
      if (code !== undefined) {
        unread += 1;
        problems.push({
          what: 'log',
          where: path,
          state: 'warning',
          found: `cannot be read (${code})`,
          todo: todoOf(code),
        });
      }
    },
    listed: () => {},
    changed: () => {},
    failed(path, code) {
      problems.push({
        what: 'directory',
        where: path,
        state: 'problem',
        found: `cannot be read (${code})`,
        todo: todoOf(code),
      });
    },
    unwatched: () => {},
  });
  folders.scan();
  const known = [...logs].filter((path) => positions.has(path)).length;
  const more = excluded === 0 ? '' : `; ${excluded} excluded`;
  const able = unread === 0 ? '' : `; ${unread === logs.size ? 'none' : logs.size - unread} of them can be read`;
  const found = `${countText(logs.size, 'log')} to read, ${known} of them gone on with${able}${more}`;
  const where = discovery.globs.map(({ pattern }) => pattern).join(', ');
  const none = {
    state: 'warning',
    found: `no log matches${more}`,
    todo: 'check paths, unless they come later',
  } as const;
  const rest = problems.length - MOST_NAMED;
  return [
    { what: 'logs', where, ...(logs.size === 0 ? none : { state: unread === logs.size ? 'problem' : 'ok', found }) },
    ...problems.slice(0, MOST_NAMED),
    ...(rest > 0 ? [{ what: 'logs', where: '', state: 'warning', found: `${rest} more like these` } as const] : []),
    inotify(),
  ];
}

function unreadable(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
}

function inotify(): CheckItem {
  const item = { what: 'inotify', where: '' };
  try {
    watch(tmpdir(), { persistent: false }).close();
    return { ...item, state: 'ok', found: 'changes are told at once' };
  } catch (error) {
    const found = `changes are not told (${errorCode(error)}): logs are looked at once a second`;
    return { ...item, state: 'warning', found, todo: 'raise fs.inotify.max_user_instances and max_user_watches' };
  }
}

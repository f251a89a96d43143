import { existsSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '../batch.ts';
import { directoryItem, nearest } from '../check/directory.ts';
import type { CheckItem } from '../check/item.ts';
import { bytesText, countText } from '../check/words.ts';
import { CURSOR_NAME, readCursors, type LaneCursor } from '../delivery/cursor.ts';
import { errorCode } from '../errors.ts';
import { diskFs } from '../spool/files.ts';
import { standing, type Standing } from '../spool/inspect.ts';
import { between } from '../spool/mark.ts';
import { lockHolder } from './lock.ts';

export interface StateCheck {
  readonly items: readonly CheckItem[];
  /** Of every source that was read before. */
  readonly positions: ReadonlyMap<string, Position>;
}

const DEAD_LETTERS = 'dead-letters';

/** A run keeps these in its state. */
const PARTS = ['spool', DEAD_LETTERS];

/**
 * Whether a run could have the directory, and what an earlier one left in it for which of the lanes. `needed_bytes` is what its spool may take; undefined for what is
 * free. Takes no lock, and makes nothing.
 */
export async function checkState(
  directory: string,
  lanes: readonly string[],
  needed_bytes: number | undefined,
  least_bytes: number,
): Promise<StateCheck> {
  const own = directoryItem('directory', directory);
  const within = PARTS.map((name) => join(directory, name)).filter((path) => existsSync(path));
  const items = [own, ...within.map((path) => directoryItem('directory', path)).filter(({ state }) => state !== 'ok')];
  if (own.state !== 'ok') return { items, positions: new Map() };
  if (existsSync(directory)) items.push(...lockItems(directory));
  const spool = join(directory, 'spool');
  const kept = existsSync(spool) ? await keptIn(spool, items) : undefined;
  items.push(...(await spaceItems(directory, needed_bytes, least_bytes, kept?.bytes ?? 0)));
  if (kept !== undefined) items.push(...laneItems(kept, lanes));
  return { items, positions: kept?.stands.positions ?? new Map() };
}

function lockItems(directory: string): CheckItem[] {
  const item = { what: 'lock', where: directory };
  try {
    const holder = lockHolder(directory);
    if (holder === undefined) return [];
    const todo = 'stop that one first, or name another directory';
    return [{ ...item, state: 'problem', found: `in use by process ${holder}`, todo }];
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    return [{ ...item, state: 'problem', found: `its LOCK cannot be read (${code})`, todo: 'check its owner' }];
  }
}

interface Kept {
  readonly stands: Standing;
  /** Of every lane that there was; one without a cursor has come to nothing yet. */
  readonly cursors: ReadonlyMap<string, LaneCursor | undefined>;
  /** What the spool takes already. */
  readonly bytes: number;
}

async function keptIn(spool: string, items: CheckItem[]): Promise<Kept | undefined> {
  try {
    let bytes = 0;
    const cursors = new Map<string, LaneCursor | undefined>();
    for (const name of await diskFs.list(spool)) {
      if (name.endsWith('.seg')) bytes += await sizeOf(join(spool, name));
      const lane = CURSOR_NAME.exec(name)?.[1];
      if (lane !== undefined) cursors.set(lane, undefined);
    }
    for (const [lane, cursor] of await readCursors(diskFs, spool)) cursors.set(lane, cursor);
    return { stands: await standing(diskFs, spool), cursors, bytes };
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    items.push({
      what: 'spool',
      where: spool,
      state: 'problem',
      found: `cannot be read (${code})`,
      todo: 'check its owner',
    });
    return undefined;
  }
}

/** 0 for one that was removed since: a run may be going on. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

async function spaceItems(
  directory: string,
  needed: number | undefined,
  least: number,
  has: number,
): Promise<CheckItem[]> {
  const { bavail, bsize } = await statfs(nearest(directory)!);
  const room = bavail * bsize + has;
  const item = { what: 'space', where: directory };
  const free = `${bytesText(bavail * bsize)} free`;
  if (room < least)
    return [
      { ...item, state: 'problem', found: `${free}: a spool takes ${bytesText(least)} at least`, todo: 'make room' },
    ];
  if (needed === undefined || room >= needed) return [{ ...item, state: 'ok', found: free }];
  const found = `${free}, and the spool may take ${bytesText(needed)}: the disk would be full before it is`;
  return [{ ...item, state: 'warning', found, todo: 'make room, or lower spool_bytes' }];
}

/** What waits for whom: for a lane that has come to nothing, or is new, all that is left. What waits for one that is not in the pipeline is given up by a run. */
function laneItems({ stands, cursors, bytes }: Kept, lanes: readonly string[]): CheckItem[] {
  const items: CheckItem[] = [];
  for (const lane of new Set([...cursors.keys(), ...lanes])) {
    const cursor = cursors.get(lane);
    const records = stands.last - (cursor?.settled ?? 0);
    if (records <= 0 || (cursor === undefined && lane === DEAD_LETTERS)) continue;
    const behind = cursor === undefined || stands.mark === undefined ? bytes : between(cursor.at, stands.mark).bytes;
    const size = bytesText(Math.max(0, behind));
    const waits = cursor === undefined ? 'all that the spool has' : countText(records, 'record');
    const item = { what: 'waiting', where: lane };
    if (lanes.includes(lane)) {
      items.push({ ...item, state: 'ok', found: `gets ${waits} first, of earlier runs (${size})` });
    } else {
      const found = `${waits} (${size}) for it, which is no sink of this pipeline: a run would give that up`;
      items.push({ ...item, state: 'warning', found, todo: 'leave it among the sinks until it has everything' });
    }
  }
  return items;
}

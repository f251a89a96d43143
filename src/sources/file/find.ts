import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { LogFile } from './log-file.ts';
import { identityOf, sameFile, type FilePosition, type Identity } from './position.ts';

/** What a rotation puts behind a name: `.1`, `-20260219`, kubelet's `.20260219-103044`. Not `.gz`, nor a copy that somebody made. */
const ROTATED = /^[.-]\d[\d.:T-]*$/;

export interface Found {
  readonly path: string;
  readonly identity: Identity;
}

/** The file that is meant, behind a link: its older ones lie beside it. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/**
 * The file of a position, at the position: the one at the path, or, since that was rotated, the one beside it that it has become.
 * Undefined if there is none any more, with a line in the log that says why.
 */
export function findAgain(
  path: string,
  position: FilePosition,
  current: LogFile | undefined,
  log: Log,
): LogFile | undefined {
  const found = current?.resume(position);
  if (found === 'resumed') return current;
  const older = besides(path, position);
  if (older !== undefined) return older;
  const why =
    found === undefined
      ? `the file of which ${position.offset} bytes were read is gone`
      : found === 'truncated'
        ? `it was truncated: it is shorter than the ${position.offset} bytes that were read`
        : found === 'rewritten'
          ? 'it was written anew: it does not begin as it did'
          : `it is another file than the one of which ${position.offset} bytes were read, and that one is gone`;
  log('warning', `${path} is read from its beginning: ${why}`, { path });
  return undefined;
}

function besides(path: string, position: FilePosition): LogFile | undefined {
  const directory = dirname(realPath(path));
  for (const { name, identity } of filesOf(directory)) {
    if (!sameFile(identity, position)) continue;
    const file = LogFile.open(join(directory, name));
    if (file?.resume(position) === 'resumed') return file;
    file?.close();
  }
  return undefined;
}

/**
 * Where the lines go on after those of a file that is not at the path any more; undefined while it is, or while there is nothing else. That is the oldest of the
 * younger ones: there may have been several rotations since.
 */
export async function successor(path: string, file: Identity): Promise<Found | undefined> {
  const current = await identityAt(path);
  if (current !== undefined && sameFile(current, file)) return undefined;
  const real = realPath(path);
  const [directory, own] = [dirname(real), basename(real)];
  let next: Found | undefined = current === undefined ? undefined : { path, identity: current };
  for (const { name, identity } of filesOf(
    directory,
    (each) => each.startsWith(own) && ROTATED.test(each.slice(own.length)),
  )) {
    if (!isYounger(identity, file)) continue;
    const first = next === undefined || !isYounger(next.identity, file) || isYounger(next.identity, identity);
    if (first) next = { path: join(directory, name), identity };
  }
  return next;
}

function isYounger(one: Identity, other: Identity): boolean {
  return BigInt(one.birthtime_ns) > BigInt(other.birthtime_ns);
}

async function identityAt(path: string): Promise<Identity | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? identityOf(stats) : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function* filesOf(
  directory: string,
  wanted = (_name: string): boolean => true,
): Iterable<{ name: string; identity: Identity }> {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return;
  }
  for (const name of names) {
    if (!wanted(name)) continue;
    const stats = lstatSync(join(directory, name), { bigint: true, throwIfNoEntry: false });
    if (stats?.isFile() === true) yield { name, identity: identityOf(stats) };
  }
}

import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../errors.ts';
import { identityOf, type Identity } from './position.ts';

/** What a rotation puts behind a name: `.1`, `-20260219`, kubelet's `.20260219-103044`. Not a copy that somebody made, nor kubelet's `.tmp`, which becomes a `.gz`. */
const ROTATED = /^[.-](\d[\d.:T-]*?)(\.gz)?$/;
/** logrotate counts its files; the largest number is the oldest. */
const COUNTED = /^\d{1,5}$/;

/** One of the files of a log. */
export interface Entry {
  readonly path: string;
  readonly kind: 'current' | 'rotated' | 'compressed';
  /** What the rotation has put behind the name. */
  readonly suffix: string;
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

/** Out of the names in its directory. In no order; what was renamed since is left out. */
function entriesOf(path: string, names: readonly string[]): Entry[] {
  const [directory, base] = [dirname(path), basename(path)];
  const entries: Entry[] = [];
  for (const name of names) {
    if (!name.startsWith(base)) continue;
    const rest = name.slice(base.length);
    const [, suffix = '', compressed] = rest === '' ? [] : (ROTATED.exec(rest) ?? []);
    if (rest !== '' && suffix === '') continue;
    const at = join(directory, name);
    const stats = lstatSync(at, { bigint: true, throwIfNoEntry: false });
    if (stats?.isFile() !== true) continue;
    const kind = rest === '' ? 'current' : compressed === undefined ? 'rotated' : 'compressed';
    entries.push({ path: at, kind, suffix, identity: identityOf(stats) });
  }
  return entries;
}

/** It is rotated at most so often while it is looked at. */
const MOST_LOOKS = 8;

/**
 * The files of the log at a path, all as they were at one moment: what is renamed between reading the names and looking at the files would be missing, and the one
 * behind it be taken for the next. `names`: those in the directory just now, where they are known. Throws when nobody can say: that is not the same as none.
 */
export function filesOf(path: string, names: readonly string[] = namesIn(dirname(path))): Entry[] {
  let [before, entries] = [names, entriesOf(path, names)];
  for (let n = 0; n < MOST_LOOKS; n++) {
    const now = namesIn(dirname(path));
    if (now.length === before.length && now.every((name, at) => name === before[at])) break;
    [before, entries] = [now, entriesOf(path, now)];
  }
  return entries;
}

/** The names in a directory; none if there is no such directory. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** True where there is nothing; else it cannot be said, for want of rights or of descriptors. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
}

/** The logs of which a path may be a rotated file. */
export function mayBeOf(path: string): string[] {
  const name = basename(path);
  const ends = Array.from(name, (_, at) => at).filter((at) => at > 0 && ROTATED.test(name.slice(at)));
  return ends.map((at) => join(dirname(path), name.slice(0, at)));
}

export function isYounger(one: Identity, other: Pick<Identity, 'birthtime_ns'>): boolean {
  return BigInt(one.birthtime_ns) > BigInt(other.birthtime_ns);
}

/** Oldest first. Compressed ones by their names, since they are born when they are compressed. */
export function byName(one: Entry, other: Entry): number {
  if (COUNTED.test(one.suffix) && COUNTED.test(other.suffix)) return Number(other.suffix) - Number(one.suffix);
  return one.suffix < other.suffix ? -1 : one.suffix > other.suffix ? 1 : 0;
}

/** A name that a time stands in, so that it stays what it is, and is greater than those before it. */
export function isTimed({ suffix }: Entry): boolean {
  return suffix !== '' && !COUNTED.test(suffix);
}

/** Two changes of a directory within one tick of the kernel's clock look like one; and a clock may be read a little late. */
const TICK_MS = 100;

/** Tells cheaply whether a directory may have changed: 3 us, where reading it takes 10 and more. */
export class Changes {
  readonly #directory: string;
  #mtime_ms = Number.NaN;
  #looked_ms = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What was found could not be looked at. */
  again(): void {
    this.#mtime_ms = Number.NaN;
  }

  /** Since the last time that this said `changed`. `gone`: there is no such directory. */
  look(): 'changed' | 'same' | 'gone' {
    const now = Date.now();
    let mtime_ms: number;
    try {
      ({ mtimeMs: mtime_ms } = statSync(this.#directory));
    } catch (error) {
      this.again();
      return isGone(error) ? 'gone' : 'changed';
    }
    const same = mtime_ms === this.#mtime_ms && mtime_ms < this.#looked_ms - TICK_MS;
    if (same) return 'same';
    this.#mtime_ms = mtime_ms;
    this.#looked_ms = now;
    return 'changed';
  }
}

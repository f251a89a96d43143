import { createHash, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, UsageError } from '../errors.ts';

/** One process at a time on a state directory. */
export interface Lock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Tells two processes with one number apart: the kernel's boot id, and the start time of the process in clock ticks since boot. */
  readonly boot: string;
  readonly started: string;
  readonly since: string;
}

/**
 * Takes the lock of `directory`, made if need be. Throws a UsageError that names the holder. The file of a process that is gone is taken over.
 */
export function lockState(directory: string): Lock {
  const path = join(directory, 'LOCK');
  // Never a name that was used before: what a killed process left under it may be the lock itself.
  const own = `${path}.${randomBytes(6).toString('hex')}`;
  const holder: Holder = { pid: process.pid, ...identity(process.pid)!, since: new Date().toISOString() };
  const text = `${JSON.stringify(holder)}\n`;
  let other: Holder | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(own, text, { mode: 0o600 });
    try {
      other = take(path, own);
    } finally {
      rmSync(own, { force: true });
    }
  } catch (error) {
    throw new UsageError(
      `--state ${directory}: cannot be written (${errorCode(error)}); name a directory of your own`,
      { cause: error },
    );
  }
  if (other !== undefined) {
    throw new UsageError(
      `--state ${directory}: in use by process ${other.pid} (since ${other.since}); stop that one, or give this one a directory of its own with --state DIR`,
    );
  }
  return {
    release() {
      if (textOf(path) === text) unlinkSync(path);
    },
  };
}

/**
 * Makes `path` a link to `own`, or gives back who has it. A link appears whole or not at all: nobody ever reads half a lock.
 *
 * The lock of a process that is gone is replaced under a lock of its own, named after what it says: whoever has that one finds the same lock
 * still there or leaves things as they are, so that of many who find it only one replaces it, and nobody replaces a later one.
 */
function take(path: string, own: string): Holder | undefined {
  for (;;) {
    try {
      linkSync(own, path);
      return undefined;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    const text = textOf(path);
    if (text === undefined) continue;
    const holder = holderOf(text);
    if (holder !== undefined && alive(holder)) return holder;
    const claim = `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    const rival = take(claim, own);
    if (rival !== undefined) return rival;
    try {
      if (textOf(path) !== text) continue;
      linkSync(own, `${own}.new`);
      renameSync(`${own}.new`, path);
      return undefined;
    } finally {
      unlinkSync(claim);
    }
  }
}

/** Who holds the directory, if anybody does. */
export function lockHolder(directory: string): number | undefined {
  const holder = holderOf(textOf(join(directory, 'LOCK')) ?? '');
  return holder !== undefined && alive(holder) ? holder.pid : undefined;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function holderOf(text: string): Holder | undefined {
  try {
    return (JSON.parse(text) as Holder | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function alive(holder: Holder): boolean {
  const now = identity(holder.pid);
  return now !== undefined && now.boot === holder.boot && now.started === holder.started;
}

/** Of a living process; undefined if there is none with this number. Without /proc, the number alone must do. */
function identity(pid: number): { boot: string; started: string } | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return undefined;
  }
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22; the second one, the command's name, may contain anything and ends at the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // It has ended, and nobody has asked how: as in a container whose first process is no init.
    if (fields[0] === 'Z') return undefined;
    return { boot, started: fields[19] ?? '' };
  } catch {
    return { boot: '', started: '' };
  }
}

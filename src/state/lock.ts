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
  const own = `${path}.${process.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const holder: Holder = { pid: process.pid, ...identity(process.pid)!, since: new Date().toISOString() };
    writeFileSync(own, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(
      `--state ${directory}: cannot be written (${errorCode(error)}); name a directory of your own`,
      { cause: error },
    );
  }
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        // A link appears whole or not at all: nobody ever reads half a lock.
        linkSync(own, path);
        break;
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
        const holder = read(path);
        if ((holder !== undefined && alive(holder)) || attempt === 5) {
          const who = holder === undefined ? 'another process' : `process ${holder.pid} (since ${holder.since})`;
          throw new UsageError(
            `--state ${directory}: in use by ${who}; stop that one, or give this one a directory of its own with --state DIR`,
            { cause: error },
          );
        }
        takeAway(path, own);
      }
    }
  } finally {
    rmSync(own, { force: true });
  }
  return {
    release() {
      if (read(path)?.pid === process.pid) unlinkSync(path);
    },
  };
}

/** Removes the lock of a process that is gone; one that somebody else has just taken is put back. */
function takeAway(path: string, own: string): void {
  const aside = `${own}.gone`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const holder = read(aside);
  if (holder !== undefined && alive(holder)) {
    try {
      linkSync(aside, path);
    } catch {
      // A third one has it by now, and finds out the same way.
    }
  }
  rmSync(aside, { force: true });
}

/** Who holds the directory, if anybody does. */
export function lockHolder(directory: string): number | undefined {
  const holder = read(join(directory, 'LOCK'));
  return holder !== undefined && alive(holder) ? holder.pid : undefined;
}

function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
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
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return { boot, started };
  } catch {
    return { boot: '', started: '' };
  }
}

import { createHash, randomBytes } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode, UsageError } from '../errors.ts';

/** One process at a time on a state directory. */
export interface Lock {
  release(): void;
}

/** Another process has it: it may be free later. */
export class StateInUse extends UsageError {}

interface Holder {
  readonly pid: number;
  /** Tells two processes with one number apart: the kernel's boot id, and the start time of the process in clock ticks since boot. */
  readonly boot: string;
  readonly started: string;
  /** Of process numbers: a container has its own, in which ours mean nothing. */
  readonly namespace: string;
  readonly since: string;
}

/** A holder says so often that it is there; one that has said nothing for so long is gone. */
const BEAT_MS = 1_000;
const SILENCE_MS = 5_000;
const LOOK_MS = 250;

/**
 * Takes the lock of `directory`, made if need be. Throws a StateInUse that names the holder. The file of a process that is gone is taken over: one that can be
 * seen from here at once, one of another container or another machine when it has given no sign for a while. `lost` is called if that was an error, and
 * somebody else has the directory: then nothing may be written to it any more.
 */
export function lockState(directory: string, lost: () => void = () => {}): Lock {
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
    throw new StateInUse(
      `--state ${directory}: in use by process ${other.pid} (since ${other.since}); stop that one, or give this one a directory of its own with --state DIR`,
    );
  }
  const beat = setInterval(() => {
    if (!beats(path, text)) {
      clearInterval(beat);
      lost();
    }
  }, BEAT_MS).unref();
  return {
    release() {
      clearInterval(beat);
      if (textOf(path) === text) unlinkSync(path);
    },
  };
}

/** Gives a sign; false when the lock is another's. A disk that is full for now does not make it one. */
function beats(path: string, text: string): boolean {
  try {
    if (textOf(path) !== text) return false;
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Whoever looks waits for several of them.
  }
  return true;
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
    if (holder !== undefined && alive(holder, path)) return holder;
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
  const path = join(directory, 'LOCK');
  const holder = holderOf(textOf(path) ?? '');
  return holder !== undefined && alive(holder, path) ? holder.pid : undefined;
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

function alive(holder: Holder, path: string): boolean {
  const own = identity(process.pid)!;
  // Numbers of a process say something where they were given; elsewhere only its signs do.
  if (holder.boot !== own.boot || holder.namespace !== own.namespace) return givesSigns(path);
  const now = identity(holder.pid);
  return now !== undefined && now.started === holder.started;
}

/** Of locks that were watched in vain: their last sign. Nobody is waited for twice. */
const silent = new Map<string, number | undefined>();

/** Watches for a sign: clocks of two machines differ, so that the time of the last one means nothing. */
function givesSigns(path: string): boolean {
  const last = signOf(path);
  if (silent.has(path) && silent.get(path) === last) return false;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < SILENCE_MS; waited += LOOK_MS) {
    Atomics.wait(pause, 0, 0, LOOK_MS);
    const sign = signOf(path);
    if (sign !== last) return sign !== undefined;
  }
  silent.set(path, last);
  return false;
}

function signOf(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}

/** Of a living process; undefined if there is none with this number. Without /proc, the number alone must do. */
function identity(pid: number): { boot: string; started: string; namespace: string } | undefined {
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
    return { boot, started: fields[19] ?? '', namespace: readlinkSync('/proc/self/ns/pid') };
  } catch {
    return { boot: '', started: '', namespace: '' };
  }
}

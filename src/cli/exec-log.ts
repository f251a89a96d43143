import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../log.ts';

/** Then it is renamed to `exec.log.1`, and a new one begun. */
const MOST_BYTES = 1 << 20;

/**
 * The log of tapping processes, in the state directory: standard error is the command's alone. Takes descriptor 2, so that what Node itself may say on its way
 * out stands there too. Where it cannot be written nothing is said.
 */
export function logInto(directory: string | undefined): Log {
  const path = directory === undefined ? undefined : join(directory, 'exec.log');
  // The lowest free descriptor is taken next: 2.
  const open = (): void => {
    closeSync(2);
    try {
      if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
      openSync(path ?? '/dev/null', 'a', 0o600);
    } catch {
      openSync('/dev/null', 'a');
    }
  };
  open();
  return (severity, message, details = {}) => {
    const entry = { time: new Date().toISOString(), level: severity, logger: 'steptap', message, ...details };
    try {
      if (path !== undefined && fstatSync(2).size > MOST_BYTES) {
        renameSync(path, `${path}.1`);
        open();
      }
      writeSync(2, `${JSON.stringify({ ...entry, pid: process.pid })}\n`);
    } catch {
      // A full disk: the next line may find room.
    }
  };
}

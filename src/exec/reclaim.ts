import { spawn } from 'node:child_process';
import { copied, DESCRIPTORS } from './tape.ts';

const EVERY_BYTES = 64 << 20;
/** The beginning tells which file it is. */
const KEPT_BYTES = 1 << 16;

/**
 * Gives the disk back what was copied and is in the spool, with `fallocate` of util-linux; where that is not installed, or the file system cannot, the tape
 * just grows.
 */
export class Reclaim {
  #from = KEPT_BYTES;
  #busy = false;

  /** Everything up to `offset` is in the spool. */
  committed(offset: number): void {
    if (this.#busy || offset - this.#from < EVERY_BYTES) return;
    const end = Math.min(offset, copied(DESCRIPTORS));
    const length = end - this.#from;
    if (length < EVERY_BYTES) return;
    this.#busy = true;
    const range = ['--offset', `${this.#from}`, '--length', `${length}`];
    const child = spawn('fallocate', ['--punch-hole', ...range, `/proc/self/fd/${DESCRIPTORS.fd}`], {
      stdio: ['ignore', 'ignore', 'ignore', DESCRIPTORS.fd],
    });
    const done = (): void => {
      this.#from = end;
      this.#busy = false;
    };
    child.once('error', done);
    child.once('exit', done);
  }
}

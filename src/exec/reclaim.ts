import { spawn } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { copied, DESCRIPTORS } from './tape.ts';

const MOST_BYTES = 64 << 20;
const LEAST_BYTES = 1 << 18;
/** The beginning tells which file it is. */
const KEPT_BYTES = 1 << 16;

/**
 * Gives the disk back what was copied and is in the spool, with `fallocate` of util-linux; where that is not installed, or the file system cannot, the tape
 * just grows.
 */
export class Reclaim {
  #from = KEPT_BYTES;
  #busy = false;
  /** So much at a time: a quarter of what the disk had at the start, if that is less. */
  readonly #every_bytes: number;

  constructor() {
    let free = Number.POSITIVE_INFINITY;
    try {
      const { bavail, bsize } = statfsSync(`/proc/self/fd/${DESCRIPTORS.fd}`);
      free = bavail * bsize;
    } catch {
      // Then it is taken for large.
    }
    this.#every_bytes = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.floor(free / 4)));
  }

  /** Everything up to `offset` is in the spool. */
  committed(offset: number): void {
    if (this.#busy || offset - this.#from < this.#every_bytes) return;
    const end = Math.min(offset, copied(DESCRIPTORS));
    const length = end - this.#from;
    if (length < this.#every_bytes) return;
    this.#busy = true;
    const range = ['--offset', `${this.#from}`, '--length', `${length}`];
    const child = spawn('fallocate', ['--punch-hole', ...range, `/proc/self/fd/${DESCRIPTORS.fd}`], {
      stdio: ['ignore', 'ignore', 'ignore', DESCRIPTORS.fd],
    });
    // Where it is not installed, or the file system cannot, it is not tried again.
    child.once('error', () => {});
    child.once('exit', (code) => {
      if (code !== 0) return;
      this.#from = end;
      this.#busy = false;
    });
  }
}

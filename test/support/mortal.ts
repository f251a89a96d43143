import { diskFs, type SpoolFile, type SpoolFs } from '../../src/spool/files.ts';

/** How a process ends at a step: killed before it is done, after it was done, or when half of it was written; or it is asked to stop there. */
export type Death = 'before' | 'after' | 'torn' | 'stop';

/**
 * Counts the steps of what would be a process, and kills it at one of them: whoever stands there, or comes to a step later, waits for ever. What other
 * steps were doing at that moment is done: the kernel has it.
 */
export class Fuse {
  readonly died: Promise<void>;
  readonly #at: number;
  readonly #how: Death;
  readonly #doing = new Set<Promise<unknown>>();
  readonly #files = new Set<SpoolFile>();
  #die: () => void = () => {};
  steps = 0;
  dead = false;
  /** Asks the process to stop. */
  stop: () => void = () => {};

  /** Dies at step number `at`, counted from 1. */
  constructor(at = Number.POSITIVE_INFINITY, how: Death = 'before') {
    this.#at = at;
    this.#how = how;
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  /** Something that is worth dying at. `half` is half of it. */
  async step<T>(work: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    if (this.dead) return forever();
    this.steps += 1;
    if (this.steps === this.#at && this.#how === 'stop') this.stop();
    if (this.steps < this.#at || this.#how === 'stop') return this.look(work);
    this.dead = true;
    if (this.#how === 'torn' && half !== undefined) await this.#track(half());
    if (this.#how === 'after') await this.#track(work()).catch(() => {});
    this.#die();
    return forever();
  }

  /** Something that changes nothing. */
  async look<T>(work: () => Promise<T>): Promise<T> {
    if (this.dead) return forever();
    try {
      return await this.#track(work());
    } finally {
      if (this.dead) await forever();
    }
  }

  opened(file: SpoolFile): void {
    this.#files.add(file);
  }

  closed(file: SpoolFile): void {
    this.#files.delete(file);
  }

  /** Nothing is being done any more, and all files are closed. */
  async over(): Promise<void> {
    this.dead = true;
    while (this.#doing.size > 0) await Promise.allSettled(this.#doing);
    await Promise.all([...this.#files].map((file) => file.close()));
  }

  async #track<T>(doing: Promise<T>): Promise<T> {
    this.#doing.add(doing);
    try {
      return await doing;
    } finally {
      this.#doing.delete(doing);
    }
  }
}

/** A file system on which a process lives until its fuse blows. Nothing is synced: what a killed process has written, the kernel has. */
export function mortalFs(fuse: Fuse, fs: SpoolFs = diskFs): SpoolFs {
  return {
    makeDirectory: (path) => fs.makeDirectory(path),
    list: (directory) => fuse.look(() => fs.list(directory)),
    async open(path, how) {
      const work = async (): Promise<SpoolFile> => {
        const opened = await fs.open(path, how);
        fuse.opened(opened);
        return opened;
      };
      const file = await (how === 'create' ? fuse.step(work) : fuse.look(work));
      return {
        read: (...where) => fuse.look(() => file.read(...where)),
        write: (pieces, at) =>
          fuse.step(
            () => file.write(pieces, at),
            () => {
              const all = Buffer.concat(pieces);
              return file.write([all.subarray(0, all.length >> 1)], at);
            },
          ),
        datasync: () => fuse.look(async () => {}),
        truncate: (length) => fuse.step(() => file.truncate(length)),
        size: () => fuse.look(() => file.size()),
        async close() {
          await fuse.look(() => file.close());
          fuse.closed(file);
        },
      };
    },
    unlink: (path) => fuse.step(() => fs.unlink(path)),
    rename: (from, to) => fuse.step(() => fs.rename(from, to)),
    syncDirectory: () => fuse.look(async () => {}),
    free: (directory) => fuse.look(() => fs.free(directory)),
  };
}

export async function forever(): Promise<never> {
  return new Promise(() => {});
}

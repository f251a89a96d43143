import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, statfs, unlink, type FileHandle } from 'node:fs/promises';

/**
 * What the spool asks of a file system, and nothing else: tests put one in its place that loses what was not synced, fills up, writes short, or fails to sync.
 */
export interface SpoolFs {
  /** Makes the directory and its parents, for the owner alone. */
  makeDirectory(path: string): Promise<void>;
  list(directory: string): Promise<string[]>;
  /** `create` fails where the file is there already; `update` makes it if need be. */
  open(path: string, how: 'create' | 'read' | 'update'): Promise<SpoolFile>;
  unlink(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Without it, a file that was just made may be gone after a power cut though its bytes were synced. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that may still be written to the file system of the directory. */
  free(directory: string): Promise<number>;
}

export interface SpoolFile {
  /** Bytes read: fewer than `length` at the end of the file only. */
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** Bytes written: a full disk writes fewer than it was given, and says nothing. */
  write(pieces: readonly Uint8Array[], position: number): Promise<number>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

const FLAGS = {
  create: constants.O_CREAT | constants.O_EXCL | constants.O_RDWR,
  read: constants.O_RDONLY,
  update: constants.O_CREAT | constants.O_RDWR,
};

export const diskFs: SpoolFs = {
  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (directory) => readdir(directory),
  open: async (path, how) => new DiskFile(await open(path, FLAGS[how], 0o600)),
  unlink,
  rename,
  async syncDirectory(path) {
    const directory = await open(path, constants.O_RDONLY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  async free(directory) {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  },
};

class DiskFile implements SpoolFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(into, offset + done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(pieces: readonly Uint8Array[], position: number): Promise<number> {
    return (await this.#file.writev(pieces as Uint8Array[], position)).bytesWritten;
  }

  datasync(): Promise<void> {
    return this.#file.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

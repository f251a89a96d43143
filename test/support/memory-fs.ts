import type { SpoolFile, SpoolFs } from '../../src/spool/files.ts';

/** Files in memory, for tests whose time is not the disk's. */
export class MemoryFs implements SpoolFs {
  readonly files = new Map<string, Buffer>();
  /** Bytes that were written, by path, each time. */
  readonly writes: { readonly path: string; readonly bytes: number }[] = [];
  /** What every write fails with. */
  failure: string | undefined;

  async makeDirectory(): Promise<void> {}

  async list(directory: string): Promise<string[]> {
    const names = [...this.files.keys()].filter((path) => path.startsWith(`${directory}/`));
    return names.map((path) => path.slice(directory.length + 1));
  }

  async open(path: string): Promise<SpoolFile> {
    if (!this.files.has(path)) this.files.set(path, Buffer.alloc(0));
    const bytes = (): Buffer => this.files.get(path)!;
    return {
      read: async (into, offset, length, position) => {
        const piece = bytes().subarray(position, position + length);
        into.set(piece, offset);
        return piece.length;
      },
      write: async (pieces, position) => {
        if (this.failure !== undefined) throw Object.assign(new Error('no'), { code: this.failure });
        const all = Buffer.concat(pieces);
        const larger = Buffer.alloc(Math.max(bytes().length, position + all.length));
        bytes().copy(larger);
        all.copy(larger, position);
        this.files.set(path, larger);
        this.writes.push({ path, bytes: all.length });
        return all.length;
      },
      datasync: async () => {},
      truncate: async (length) => void this.files.set(path, bytes().subarray(0, length)),
      size: async () => bytes().length,
      close: async () => {},
    };
  }

  async unlink(path: string): Promise<void> {
    this.files.delete(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  async syncDirectory(): Promise<void> {}

  async free(): Promise<number> {
    return Number.POSITIVE_INFINITY;
  }
}

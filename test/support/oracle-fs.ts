import { dirname } from 'node:path';
import type { SpoolFile, SpoolFs } from '../../src/spool/files.ts';

/** A small generator of numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Operation = 'open' | 'read' | 'write' | 'datasync' | 'truncate' | 'unlink' | 'rename' | 'syncDirectory';

/** What goes wrong with an operation: an error's code, or of a write how many of its bytes it takes. */
export type Fault = string | { readonly short: number } | undefined;

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly length: number };

interface Inode {
  /** What is read. */
  written: Buffer;
  size: number;
  /** What is on the disk for sure, and what may be there too. */
  synced: Buffer;
  unsynced: Change[];
  /** After a failed sync: pages that count as written and are not. */
  dropped: boolean;
  opened: number;
}

const SECTOR_BYTES = 512;

/**
 * A file system in memory that knows what a disk really has. A write is in the page cache until `datasync`; a name is until `syncDirectory`.
 *
 * `crash` ends it: whoever still works on it waits for ever, and what survives is a new one. A kill keeps the page cache. A power cut keeps what was synced, and by
 * chance any part of what was not: none, a beginning, or single sectors of it, in files and names alike.
 *
 * A sync that fails drops what it should have written, and the next one succeeds: that is what Linux does
 * (https://wiki.postgresql.org/wiki/Fsync_Errors).
 */
export class OracleFs implements SpoolFs {
  /** Asked before every operation. */
  plan: (operation: Operation, path: string) => Fault = () => undefined;
  /** Bytes of all files together. */
  capacity = Number.POSITIVE_INFINITY;
  /** Operations that changed something, and bytes read by path. */
  changes = 0;
  readonly reads = new Map<string, number>();
  readonly #random: () => number;
  readonly #names: Map<string, Inode>;
  readonly #durable: Map<string, Inode>;
  #dies_at = Number.POSITIVE_INFINITY;
  #dead = false;

  constructor(seed = 1, files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#random = seeded(seed);
    const inodes = [...files].map(([path, bytes]): [string, Inode] => [path, inode(bytes)]);
    this.#names = new Map(inodes);
    this.#durable = new Map(inodes);
  }

  /** The process dies in the operation after so many, if that writes in the middle of it. */
  dieAfter(changes: number): void {
    this.#dies_at = this.changes + changes;
  }

  crash(how: 'kill' | 'power cut'): OracleFs {
    this.#dead = true;
    const next = new OracleFs(Math.floor(this.#random() * 2 ** 32));
    next.capacity = this.capacity;
    const clones = new Map<Inode, Inode>();
    const clone = (each: Inode): Inode => {
      const made = clones.get(each) ?? (how === 'kill' ? this.#afterKill(each) : inode(this.#afterCut(each)));
      clones.set(each, made);
      return made;
    };
    const cut = how === 'power cut' ? this.#namesAfterCut() : undefined;
    for (const [path, each] of cut ?? this.#names) next.#names.set(path, clone(each));
    for (const [path, each] of cut ?? this.#durable) next.#durable.set(path, clone(each));
    return next;
  }

  get used(): number {
    const all = new Set([...this.#names.values(), ...this.#open]);
    let bytes = 0;
    for (const { size } of all) bytes += size;
    return bytes;
  }

  /** The bytes of a file as they are read now. */
  bytes(path: string): Buffer {
    const each = this.#find(path);
    return Buffer.from(each.written.subarray(0, each.size));
  }

  async makeDirectory(): Promise<void> {}

  async list(directory: string): Promise<string[]> {
    const paths = [...this.#names.keys()].filter((path) => dirname(path) === directory);
    return paths.map((path) => path.slice(directory.length + 1));
  }

  async open(path: string, how: 'create' | 'read' | 'update'): Promise<SpoolFile> {
    await this.operate('open', path);
    let found = this.#names.get(path);
    if (found !== undefined && how === 'create') throw failure('EEXIST');
    if (found === undefined) {
      if (how === 'read') throw failure('ENOENT');
      await this.change();
      found = inode(Buffer.alloc(0));
      this.#names.set(path, found);
    }
    found.opened += 1;
    this.#open.add(found);
    return new OracleFile(this, path, found, () => {
      found.opened -= 1;
      if (found.opened === 0) this.#open.delete(found);
    });
  }

  async unlink(path: string): Promise<void> {
    await this.operate('unlink', path);
    this.#find(path);
    await this.change();
    this.#names.delete(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.operate('rename', from);
    const found = this.#find(from);
    await this.change();
    this.#names.delete(from);
    this.#names.set(to, found);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.operate('syncDirectory', path);
    for (const name of new Set([...this.#durable.keys(), ...this.#names.keys()])) {
      if (dirname(name) === path) this.#settle(name);
    }
  }

  async free(): Promise<number> {
    await this.alive();
    return Math.max(0, this.capacity - this.used);
  }

  readonly #open = new Set<Inode>();

  /** Who works on a file system that crashed is dead. */
  async alive(): Promise<void> {
    if (this.#dead) await new Promise(() => {});
  }

  async operate(operation: Operation, path: string): Promise<{ short: number } | undefined> {
    await this.alive();
    const fault = this.plan(operation, path);
    if (typeof fault === 'string') throw failure(fault);
    return fault;
  }

  /** Before anything is changed; `half` is what is done of it when the process dies there. */
  async change(half: () => void = () => {}): Promise<void> {
    await this.alive();
    this.changes += 1;
    if (this.changes <= this.#dies_at) return;
    half();
    this.#dead = true;
    await this.alive();
  }

  random(): number {
    return this.#random();
  }

  #find(path: string): Inode {
    const found = this.#names.get(path);
    if (found === undefined) throw failure('ENOENT');
    return found;
  }

  #settle(name: string): void {
    const now = this.#names.get(name);
    if (now === undefined) this.#durable.delete(name);
    else this.#durable.set(name, now);
  }

  #namesAfterCut(): Map<string, Inode> {
    for (const name of new Set([...this.#durable.keys(), ...this.#names.keys()])) {
      if (this.#names.get(name) !== this.#durable.get(name) && this.#random() < 0.5) this.#settle(name);
    }
    return this.#durable;
  }

  #afterKill(file: Inode): Inode {
    // Pages that a failed sync has dropped are in the cache until something else needs the memory.
    if (file.dropped && this.#random() < 0.5) return inode(this.#afterCut(file));
    return { ...file, written: Buffer.from(file.written), unsynced: [...file.unsynced], opened: 0 };
  }

  #afterCut({ synced, unsynced }: Inode): Buffer {
    const mode = this.#random();
    let bytes: Buffer = Buffer.from(synced);
    if (mode < 0.1) return bytes;
    const upto = mode < 0.4 ? Math.floor(this.#random() * (unsynced.length + 1)) : unsynced.length;
    for (const [n, each] of unsynced.entries()) {
      if (n > upto) break;
      const whole = mode < 0.4 && n < upto;
      if ('length' in each) bytes = whole || this.#random() < 0.5 ? resized(bytes, each.length) : bytes;
      else bytes = this.#torn(bytes, each.at, each.bytes, whole);
    }
    return bytes;
  }

  /** Some of the sectors of a write. */
  #torn(onto: Buffer, at: number, bytes: Buffer, whole: boolean): Buffer {
    let out = onto;
    const share = 0.4 + 0.6 * this.#random();
    for (let done = 0; done < bytes.length;) {
      const most = Math.min(bytes.length - done, SECTOR_BYTES - ((at + done) % SECTOR_BYTES));
      if (whole || this.#random() < share) {
        if (out.length < at + done + most) out = resized(out, at + done + most);
        bytes.copy(out, at + done, done, done + most);
      }
      done += most;
    }
    return out;
  }
}

class OracleFile implements SpoolFile {
  readonly #fs: OracleFs;
  readonly #path: string;
  readonly #inode: Inode;
  readonly #closed: () => void;

  constructor(fs: OracleFs, path: string, file: Inode, closed: () => void) {
    this.#fs = fs;
    this.#path = path;
    this.#inode = file;
    this.#closed = closed;
  }

  async read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    await this.#fs.operate('read', this.#path);
    const { written, size } = this.#inode;
    const bytes = written.subarray(Math.min(position, size), Math.min(position + length, size));
    into.set(bytes, offset);
    this.#fs.reads.set(this.#path, (this.#fs.reads.get(this.#path) ?? 0) + bytes.length);
    return bytes.length;
  }

  async write(pieces: readonly Uint8Array[], position: number): Promise<number> {
    const fault = await this.#fs.operate('write', this.#path);
    let bytes = Buffer.concat(pieces);
    if (fault !== undefined) bytes = bytes.subarray(0, Math.min(fault.short, bytes.length));
    const more = position + bytes.length - this.#inode.size;
    const room = Math.max(0, this.#fs.capacity - this.#fs.used);
    if (more > room) {
      bytes = bytes.subarray(0, Math.max(0, bytes.length - (more - room)));
      if (bytes.length === 0) throw failure('ENOSPC');
    }
    await this.#fs.change(() => this.#put(bytes.subarray(0, Math.floor(this.#fs.random() * bytes.length)), position));
    this.#put(bytes, position);
    return bytes.length;
  }

  #put(bytes: Buffer, at: number): void {
    const file = this.#inode;
    if (at + bytes.length > file.written.length) file.written = resized(file.written, (at + bytes.length) * 2);
    if (at > file.size) file.written.fill(0, file.size, at);
    bytes.copy(file.written, at);
    file.size = Math.max(file.size, at + bytes.length);
    file.unsynced.push({ at, bytes });
  }

  async datasync(): Promise<void> {
    try {
      await this.#fs.operate('datasync', this.#path);
    } catch (error) {
      this.#inode.unsynced = [];
      this.#inode.dropped = true;
      throw error;
    }
    await this.#fs.change();
    const file = this.#inode;
    if (!file.dropped) file.synced = Buffer.from(file.written.subarray(0, file.size));
    for (const each of file.dropped ? file.unsynced : []) {
      if ('length' in each) file.synced = resized(file.synced, each.length);
      else {
        file.synced = resized(file.synced, Math.max(file.synced.length, each.at + each.bytes.length));
        each.bytes.copy(file.synced, each.at);
      }
    }
    file.unsynced = [];
  }

  async truncate(length: number): Promise<void> {
    await this.#fs.operate('truncate', this.#path);
    await this.#fs.change();
    const file = this.#inode;
    if (length > file.size) file.written = resized(file.written.subarray(0, file.size), length);
    file.size = length;
    file.unsynced.push({ length });
  }

  async size(): Promise<number> {
    await this.#fs.alive();
    return this.#inode.size;
  }

  async close(): Promise<void> {
    await this.#fs.alive();
    this.#closed();
  }
}

function inode(bytes: Buffer): Inode {
  return {
    written: Buffer.from(bytes),
    size: bytes.length,
    synced: Buffer.from(bytes),
    unsynced: [],
    dropped: false,
    opened: 0,
  };
}

function resized(bytes: Buffer, length: number): Buffer {
  const out = Buffer.alloc(length);
  bytes.copy(out, 0, 0, Math.min(bytes.length, length));
  return out;
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: by plan`), { code });
}

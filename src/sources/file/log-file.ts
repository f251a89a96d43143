import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { errorCode } from '../../errors.ts';
import { identityOf, sameFile, type FilePosition, type Fingerprint, type Identity } from './position.ts';

/** Large enough that reading costs next to nothing per line, small enough that a few of them in flight are no memory to speak of. */
export const READ_BYTES = 1 << 19;
/** Where the size says that there is nothing, as of a file in /proc. */
const LEAST_BYTES = 1 << 14;
export const FINGERPRINT_BYTES = 1024;

/** There is none, or a link has taken its place. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

const readFrom = promisify(read);

/** What a log was written to until it was rotated, from some offset on. Held open, so that it may be renamed or deleted. */
export interface Generation {
  readonly identity: Identity;
  readonly fingerprint: Fingerprint;
  /** Of what is read next; in a compressed file, of its uncompressed bytes. */
  readonly offset: number;
  /** What comes next; undefined at the end. Rejects when it cannot be read. */
  read(spare: () => Buffer | undefined): Promise<Buffer | undefined>;
  /** Whether there is more than was read, or less. */
  look(): 'grown' | 'shrunk' | 'same';
  /** As it was last looked at; of a compressed file, what was read. */
  readonly size: number;
  close(): void;
}

/** A regular file, held open: it may be renamed or deleted, and is read to its end all the same. */
export class LogFile implements Generation {
  readonly identity: Identity;
  readonly #fd: number;
  /** Of its beginning, as far as it has one: goes along until it is long enough. */
  fingerprint: Fingerprint;
  offset = 0;
  #size: number;

  private constructor(fd: number) {
    this.#fd = fd;
    const stats = fstatSync(fd, { bigint: true });
    this.identity = identityOf(stats);
    this.#size = Number(stats.size);
    this.fingerprint = this.#fingerprint(FINGERPRINT_BYTES);
  }

  /** Undefined if there is no such file, or none that could be read twice: a directory, a pipe. */
  static open(path: string, follow_links = true): LogFile | undefined {
    let fd: number;
    try {
      // A pipe would wait here for whoever writes to it.
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow_links ? 0 : constants.O_NOFOLLOW);
      fd = openSync(path, flags);
    } catch (error) {
      if (GONE.has(errorCode(error) ?? '')) return undefined;
      throw error;
    }
    if (fstatSync(fd).isFile()) return new LogFile(fd);
    closeSync(fd);
    return undefined;
  }

  /** A file that was opened already, and need not have a name any more. */
  static of(fd: number): LogFile {
    return new LogFile(fd);
  }

  /** The same file from its start, after it was truncated. */
  anew(): LogFile {
    return new LogFile(this.#fd);
  }

  /** Goes to the position, if it is one in this file; else says why it is not. */
  resume(position: FilePosition): 'resumed' | 'another' | 'truncated' | 'rewritten' {
    if (!sameFile(this.identity, position)) return 'another';
    if (this.#size < position.offset) return 'truncated';
    if (!this.#begins(position.fingerprint)) return 'rewritten';
    this.offset = position.offset;
    return 'resumed';
  }

  /** Goes to the position in a copy of its file: what was copied before it was truncated. */
  resumeCopy({ fingerprint, offset }: FilePosition): boolean {
    if (fingerprint.length === 0 || this.#size < offset || !this.#begins(fingerprint)) return false;
    this.offset = offset;
    return true;
  }

  /** Goes behind the last line that is whole. */
  skip(): void {
    const tail = Buffer.alloc(Math.min(this.#size, READ_BYTES));
    const length = readSync(this.#fd, tail, 0, tail.length, this.#size - tail.length);
    const newline = tail.lastIndexOf(10, length - 1);
    this.offset = newline === -1 ? this.#size : this.#size - tail.length + newline + 1;
  }

  get size(): number {
    return this.#size;
  }

  /** True when it does not begin as it did. */
  get rewritten(): boolean {
    return !this.#begins(this.fingerprint);
  }

  /** `spare` gives memory of READ_BYTES for it, if there is some. */
  async read(spare: () => Buffer | undefined): Promise<Buffer | undefined> {
    const left = this.#size - this.offset;
    const most = left > 0 ? Math.min(left, READ_BYTES) : LEAST_BYTES;
    const room = (most === READ_BYTES ? spare() : undefined) ?? Buffer.allocUnsafeSlow(most);
    const { bytesRead } = await readFrom(this.#fd, room, 0, room.length, this.offset);
    if (bytesRead === 0) return undefined;
    const bytes = room.subarray(0, bytesRead);
    const { crc, length } = this.fingerprint;
    if (length < FINGERPRINT_BYTES && this.offset + bytesRead > length) {
      const more = bytes.subarray(length - this.offset, FINGERPRINT_BYTES - this.offset);
      this.fingerprint = { crc: crc32(more, crc), length: length + more.length };
    }
    this.offset += bytesRead;
    return bytes;
  }

  look(): 'grown' | 'shrunk' | 'same' {
    this.#size = fstatSync(this.#fd).size;
    return this.#size > this.offset ? 'grown' : this.#size < this.offset ? 'shrunk' : 'same';
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Of what it begins with now, read or not. */
  begin(): Fingerprint {
    if (this.fingerprint.length < FINGERPRINT_BYTES) this.fingerprint = this.#fingerprint(FINGERPRINT_BYTES);
    return this.fingerprint;
  }

  #begins({ crc, length }: Fingerprint): boolean {
    const own = this.#fingerprint(length);
    return own.length === length && own.crc === crc;
  }

  #fingerprint(most: number): Fingerprint {
    const head = Buffer.alloc(Math.min(most, FINGERPRINT_BYTES));
    const length = readSync(this.#fd, head, 0, head.length, 0);
    return { crc: crc32(head.subarray(0, length)), length };
  }
}

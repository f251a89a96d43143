import { closeSync, constants, fstat, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { errorCode } from '../../errors.ts';
import { identityOf, sameFile, type FilePosition, type Fingerprint, type Identity } from './position.ts';

/** Large enough that reading costs next to nothing per line, small enough that a few of them in flight are no memory to speak of. */
export const READ_BYTES = 1 << 19;
/** Where the size says that there is nothing, as of a file in /proc. */
const LEAST_BYTES = 1 << 14;
const FINGERPRINT_BYTES = 1024;

const readFrom = promisify(read);
const statsOf = promisify(fstat);

/** A regular file, held open: it may be renamed or deleted, and is read to its end all the same. */
export class LogFile {
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
  static open(path: string): LogFile | undefined {
    let fd: number;
    try {
      // A pipe would wait here for whoever writes to it.
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
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
    const { length, crc } = this.#fingerprint(position.fingerprint.length);
    if (length !== position.fingerprint.length || crc !== position.fingerprint.crc) return 'rewritten';
    this.offset = position.offset;
    return 'resumed';
  }

  /** What comes next; undefined at the end. `spare` gives memory of READ_BYTES for it, if there is some. */
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

  /** Whether there is more than was read, or less. */
  async look(): Promise<'grown' | 'shrunk' | 'same'> {
    this.#size = (await statsOf(this.#fd)).size;
    return this.#size > this.offset ? 'grown' : this.#size < this.offset ? 'shrunk' : 'same';
  }

  close(): void {
    closeSync(this.#fd);
  }

  #fingerprint(most: number): Fingerprint {
    const head = Buffer.alloc(Math.min(most, FINGERPRINT_BYTES));
    const length = readSync(this.#fd, head, 0, head.length, 0);
    return { crc: crc32(head.subarray(0, length)), length };
  }
}

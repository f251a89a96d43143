import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { constants as zlib, crc32, createGunzip, gunzipSync, type Gunzip } from 'node:zlib';
import { errorCode } from '../../errors.ts';
import { parseTime } from '../../time.ts';
import { FINGERPRINT_BYTES, type Generation } from './log-file.ts';
import { identityOf, type FilePosition, type Fingerprint, type Identity } from './position.ts';

/** Of the compressed file: enough for its first line to come out. */
const HEAD_BYTES = 1 << 14;
/** One that somebody compresses in its place is not whole yet; after so long without a change it never will be. */
const PATIENCE_MS = 5_000;

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)/;

interface Unzipping {
  readonly input: Readable;
  readonly bytes: Gunzip;
  readonly pieces: AsyncIterator<Buffer>;
  /** Uncompressed bytes that have come out. */
  at: number;
}

/**
 * A file that was compressed, read as what it was before: offsets and fingerprint are those of its uncompressed bytes. To go on at an offset, what is before it is
 * read and thrown away.
 */
export class GzFile implements Generation {
  /** Born when its first line was written, if that says when: the file itself was born when it was compressed. */
  identity: Identity;
  readonly fingerprint: Fingerprint;
  readonly head: Buffer;
  offset = 0;
  readonly #fd: number;
  #stream: Unzipping | undefined;
  #ended = false;
  #stuck: { readonly size: number; readonly since_ms: number } | undefined;

  private constructor(fd: number, head: Buffer) {
    this.#fd = fd;
    this.head = head;
    this.fingerprint = { crc: crc32(head), length: head.length };
    const newline = head.indexOf(10);
    const line = head.toString('latin1', 0, newline === -1 ? head.length : newline);
    const written = parseTime(TIME.exec(line)?.[0] ?? '')?.us ?? 0;
    const birthtime_ns = `${BigInt(Number.isFinite(written) ? Math.round(written) : 0) * 1000n}`;
    this.identity = { ...identityOf(fstatSync(fd, { bigint: true })), birthtime_ns };
  }

  /** Undefined if it is not there any more, or not what its name says. */
  static open(path: string): GzFile | undefined {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ELOOP') return undefined;
      throw error;
    }
    const head = headOf(fd);
    if (head !== undefined) return new GzFile(fd, head);
    closeSync(fd);
    return undefined;
  }

  /** True if it begins as a file did of which that is known. */
  begins({ crc, length }: Fingerprint): boolean {
    return length > 0 && length <= this.head.length && crc32(this.head.subarray(0, length)) === crc;
  }

  async read(): Promise<Buffer | undefined> {
    if (this.#ended) return undefined;
    try {
      for (;;) {
        const stream = (this.#stream ??= this.#open());
        const { done, value } = await stream.pieces.next();
        if (done === true) {
          this.#ended = true;
          return undefined;
        }
        const skip = Math.max(0, this.offset - stream.at);
        stream.at += value.length;
        if (value.length <= skip) continue;
        const bytes = value.subarray(skip);
        this.offset += bytes.length;
        return bytes;
      }
    } catch (error) {
      this.#stream = undefined;
      return this.#retry(error as Error);
    }
  }

  /** At its end nothing will be added. One that is not whole is tried again when it has grown, and when it is to be given up. */
  look(): 'grown' | 'shrunk' | 'same' {
    const stuck = this.#stuck;
    if (this.#ended) return 'same';
    if (stuck === undefined || stuck.size !== fstatSync(this.#fd).size) return 'grown';
    return performance.now() - stuck.since_ms > PATIENCE_MS ? 'grown' : 'same';
  }

  /** True when nothing more comes of it. */
  get ended(): boolean {
    return this.#ended;
  }

  get size(): number {
    return this.offset;
  }

  /** Gives up what is left. */
  end(): void {
    this.#ended = true;
  }

  /** False when its first line was written before the other file was begun. */
  isAfter({ birthtime_ns }: Pick<Identity, 'birthtime_ns'>): boolean {
    const own = BigInt(this.identity.birthtime_ns);
    return own === 0n || own >= BigInt(birthtime_ns);
  }

  /** Goes to the position, which is one in the file that this one was. */
  resume(position: FilePosition): boolean {
    if (!this.begins(position.fingerprint)) return false;
    this.offset = position.offset;
    // Its lines were first written to the file of the position.
    this.identity = { ...this.identity, birthtime_ns: position.birthtime_ns };
    return true;
  }

  close(): void {
    this.#stream?.input.destroy();
    this.#stream?.bytes.destroy();
    closeSync(this.#fd);
  }

  #open(): Unzipping {
    const input = contentOf(this.#fd);
    const bytes = createGunzip({ chunkSize: 1 << 18 });
    input.on('error', (error) => bytes.destroy(error));
    input.pipe(bytes);
    return { input, bytes, pieces: bytes[Symbol.asyncIterator]() as AsyncIterator<Buffer>, at: 0 };
  }

  /** Somebody may still be writing it: it is tried again while it grows. */
  #retry(error: Error): undefined {
    const size = fstatSync(this.#fd).size;
    const now = performance.now();
    if (errorCode(error) !== 'Z_BUF_ERROR') throw error;
    if (this.#stuck?.size !== size) this.#stuck = { size, since_ms: now };
    else if (now - this.#stuck.since_ms > PATIENCE_MS) throw error;
    return undefined;
  }
}

/** The bytes of a file, which stays open: a ReadStream would close it, whatever it is told. */
function contentOf(fd: number): Readable {
  let at = 0;
  return new Readable({
    read(size) {
      read(fd, Buffer.allocUnsafe(size), 0, size, at, (error, length, bytes) => {
        at += length;
        if (error !== null) this.destroy(error);
        else this.push(length === 0 ? null : bytes.subarray(0, length));
      });
    },
  });
}

/** Undefined if it is not gzip. */
function headOf(fd: number): Buffer | undefined {
  if (!fstatSync(fd).isFile()) return undefined;
  const bytes = Buffer.alloc(HEAD_BYTES);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  if (length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return undefined;
  try {
    const head = gunzipSync(bytes.subarray(0, length), { finishFlush: zlib.Z_SYNC_FLUSH });
    return Buffer.from(head.subarray(0, FINGERPRINT_BYTES));
  } catch {
    return undefined;
  }
}

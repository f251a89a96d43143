import { errorCode } from '../errors.ts';
import { checksum, decodeHeader, HEADER_BYTES, MAGIC, type Header } from './format.ts';
import type { SpoolFile } from './files.ts';

/** What stands at a place of a segment. */
export type Item =
  | { readonly at: number; readonly header: Header; readonly payload: Buffer | undefined }
  /** Bytes that are no record: damaged, or the rest of a write that was cut off. */
  | { readonly at: number; readonly header: undefined; readonly length: number };

export interface ScanOptions {
  readonly from?: number;
  /** Where to stop: what is behind is not committed. */
  readonly end: number;
  /** Only records of this spool are believed. */
  readonly spool?: string | undefined;
  /** True where the disk may refuse single pages: they count as damaged, and nothing is thrown. */
  readonly around?: boolean;
  /** Where payloads are read to; at least so many bytes. */
  readonly memory?: (length: number) => ArrayBuffer;
}

const WINDOW_BYTES = 1 << 18;
/** No record is longer: batches are cut at about 1 MiB, a single line at `max_line_bytes`. */
const LONGEST = 1 << 30;

/**
 * Reads a segment from one record to the next. Where there is none, it goes on at the next place that is surely one; a record whose payload is damaged is
 * given without it, and nothing else is lost. Nothing is given that its checksum does not vouch for.
 */
export class Scanner {
  readonly #file: SpoolFile;
  #end: number;
  readonly #spool: string | undefined;
  readonly #around: boolean;
  readonly #memory: (length: number) => ArrayBuffer;
  readonly #window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  /** The window holds the bytes `[#start, #start + #held)` of the file. */
  #start = 0;
  #held = 0;
  #at: number;

  constructor(file: SpoolFile, options: ScanOptions) {
    this.#file = file;
    this.#end = options.end;
    this.#spool = options.spool;
    this.#around = options.around ?? false;
    this.#memory = options.memory ?? ((length) => new ArrayBuffer(length));
    this.#at = options.from ?? 0;
  }

  /** Where the next item begins. */
  get at(): number {
    return this.#at;
  }

  /** More was committed since. */
  extend(end: number): void {
    this.#end = end;
  }

  /** Goes on from another place. */
  moveTo(at: number): void {
    this.#at = at;
  }

  /** The next item; undefined at the end. The payload of a record for which `wanted` is false is not read: it comes as undefined. */
  async next(wanted: (header: Header) => boolean = () => true): Promise<Item | undefined> {
    const at = this.#at;
    if (at >= this.#end) return undefined;
    const header = await this.#header(at);
    if (header === undefined) {
      this.#at = await this.#search(at + 1);
      return { at, header, length: this.#at - at };
    }
    const start = at + HEADER_BYTES;
    this.#at = Math.min(start + header.length, this.#end);
    if (!wanted(header)) return { at, header, payload: undefined };
    const whole = start + header.length <= this.#end;
    const payload = whole ? await this.#bytes(start, header.length) : undefined;
    const good = payload !== undefined && checksum([payload]) === header.payload_crc;
    return { at, header, payload: good ? payload : undefined };
  }

  async #header(at: number): Promise<Header | undefined> {
    await this.#fill(at, HEADER_BYTES);
    const header = decodeHeader(this.#window.subarray(0, this.#held), at - this.#start);
    if (header === undefined || header.length > LONGEST) return undefined;
    return this.#spool === undefined || header.src.startsWith(this.#spool) ? header : undefined;
  }

  /** The first place from `at` on where a record of this spool begins, or the end. */
  async #search(from: number): Promise<number> {
    for (let at = from; at + HEADER_BYTES <= this.#end;) {
      await this.#fill(at, HEADER_BYTES);
      // Somebody has cut the file.
      if (this.#start + this.#held < at + HEADER_BYTES) break;
      const found = this.#window.subarray(0, this.#held).indexOf(MAGIC, at - this.#start);
      if (found === -1) {
        // Its first bytes may be the last of the window.
        at = Math.max(at + 1, this.#start + this.#held - MAGIC.length + 1);
        continue;
      }
      at = this.#start + found;
      if ((await this.#header(at)) !== undefined) return at;
      at += 1;
    }
    return this.#end;
  }

  /** A payload in memory of its own, since it outlives the window and its arrays must lie at a multiple of 8. */
  async #bytes(at: number, length: number): Promise<Buffer | undefined> {
    const bytes = Buffer.from(this.#memory(length), 0, length);
    const ready = Math.max(0, Math.min(length, this.#start + this.#held - at));
    if (ready > 0) this.#window.copy(bytes, 0, at - this.#start, at - this.#start + ready);
    let read = ready;
    if (read < length && length - read < WINDOW_BYTES / 4) {
      await this.#fill(at + read, length - read);
      const more = Math.min(length - read, this.#held - (at + read - this.#start));
      if (more > 0) this.#window.copy(bytes, read, at + read - this.#start, at + read - this.#start + more);
      read += Math.max(0, more);
    } else if (read < length) {
      read += await this.#read(bytes, read, length - read, at + read);
    }
    return read === length ? bytes : undefined;
  }

  /** Makes sure that the window holds `length` bytes from `at` on, as far as there are any. */
  async #fill(at: number, length: number): Promise<void> {
    const last = Math.min(at + length, this.#end);
    if (at >= this.#start && last <= this.#start + this.#held) return;
    this.#start = at;
    this.#held = 0;
    this.#held = await this.#read(this.#window, 0, Math.min(WINDOW_BYTES, this.#end - at), at);
  }

  async #read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    try {
      return await this.#file.read(into, offset, length, position);
    } catch (error) {
      if (!this.#around || errorCode(error) !== 'EIO') throw error;
      return readPages(this.#file, into, offset, length, position);
    }
  }
}

const PAGE_BYTES = 4096;

/** Reads page by page; a page that the disk does not give is zeros. */
async function readPages(
  file: SpoolFile,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  const end = Math.min(length, Math.max(0, (await file.size()) - position));
  for (let done = 0; done < end;) {
    const most = Math.min(end - done, PAGE_BYTES - ((position + done) % PAGE_BYTES));
    await file
      .read(into, offset + done, most, position + done)
      .catch(() => into.fill(0, offset + done, offset + done + most));
    done += most;
  }
  return end;
}

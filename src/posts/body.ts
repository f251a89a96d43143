import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';

/** A body that was read to its end. */
export interface Body {
  /** Uncompressed. */
  readonly bytes: Buffer;
  /** Of the bytes as they were sent. */
  readonly digest: Buffer;
  /** To be called when nobody needs the bytes any more. */
  release(): void;
}

/** A body that is not taken. */
export interface Refused {
  readonly status: 400 | 413 | 503;
  /** Short, for the dead letter; absent where the same body may come again. */
  readonly reason?: string;
  readonly detail: string;
  /** What was read of it, uncompressed. */
  readonly head: Buffer;
}

/** Bytes that all bodies under way may hold together. The last of them are for small ones, so that a few large ones cannot keep everybody out. */
const FOR_SMALL = 16 << 20;
const SMALL_BYTES = 2 << 20;

export class Share {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** False when a body of that length would not be taken to its end now. */
  hasRoom(length: number): boolean {
    return length <= SMALL_BYTES || length + FOR_SMALL <= this.#left;
  }

  /** False when there is not so much left for a body that holds so much already. */
  take(bytes: number, held: number): boolean {
    const others = bytes + held > SMALL_BYTES ? FOR_SMALL : 0;
    if (bytes + others > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** A body that is over 1 MB and so many times what was sent is a bomb. Logs shrink to a tenth or a twentieth. */
const MOST_RATIO = 100;
const RATIO_FROM = 1 << 20;
/** A chunk of one byte costs as much as one of 64 KB: who sends so many small ones means nothing good. */
const MOST_SMALL = 4_096;
const SMALL_PIECE = 32;
const HEAD_BYTES = 4096;
const FIRST_BYTES = 16 << 10;
/** A window that whoever sends zstd may ask for: what the standard wants everybody to have (RFC 8878, 3.1.1.1.2), beside what it makes of it. */
const ZSTD_WINDOW_LOG = 23;

type Zstd = (options: { params: Record<number, number> }) => Transform;
// Not in the types of Node 20.
const { createZstdDecompress: zstd, constants } = zlib as unknown as {
  createZstdDecompress?: Zstd;
  constants: { ZSTD_d_windowLogMax: number };
};

/** True where Node can read it: from 22.15 on. */
export const HAS_ZSTD = zstd !== undefined;

/** What a body may be compressed with, and what reading it holds beside its bytes. */
const CODINGS: Readonly<Record<string, { readonly make: () => Transform; readonly holds: number }>> = {
  gzip: { make: () => zlib.createGunzip(), holds: 48 << 10 },
  ...(zstd === undefined
    ? {}
    : {
        zstd: {
          make: () => zstd({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }),
          holds: 1 << ZSTD_WINDOW_LOG,
        },
      }),
};

/** `gzip`, `zstd`, `''` for none; undefined for what cannot be read, and for two on top of each other. */
export function codingOf(header: string | undefined): string | undefined {
  const named = (header ?? '').trim().toLowerCase();
  if (named === '' || named === 'identity') return '';
  const coding = named === 'x-gzip' ? 'gzip' : named;
  return Object.hasOwn(CODINGS, coding) ? coding : undefined;
}

/**
 * Reads it to its end, or to where it is refused; undefined when the client has gone before. Never more than `max_bytes` are kept, and no more than the share has. One layer of
 * compression is taken off.
 */
export function readBody(
  request: IncomingMessage,
  coding: string,
  max_bytes: number,
  share: Share,
  sent?: (piece: Buffer) => void,
): Promise<Body | Refused | undefined> {
  return new Promise((resolve) => {
    new Reading(request, coding, max_bytes, share, resolve, sent);
  });
}

class Reading {
  readonly #request: IncomingMessage;
  readonly #max_bytes: number;
  readonly #share: Share;
  readonly #done: (result: Body | Refused | undefined) => void;
  readonly #watch: ((piece: Buffer) => void) | undefined;
  readonly #hash = createHash('sha256');
  readonly #decoder: Transform | undefined;
  /** What the share has given. */
  #held = 0;
  #kept = Buffer.alloc(0);
  #size = 0;
  #received = 0;
  #pieces = 0;
  #over = false;

  constructor(
    request: IncomingMessage,
    coding: string,
    max_bytes: number,
    share: Share,
    done: (result: Body | Refused | undefined) => void,
    sent: ((piece: Buffer) => void) | undefined,
  ) {
    this.#watch = sent;
    this.#request = request;
    this.#max_bytes = max_bytes;
    this.#share = share;
    this.#done = done;
    const { make, holds = 0 } = CODINGS[coding] ?? {};
    const room = this.#take(holds);
    this.#decoder = room ? make?.() : undefined;
    request.on('data', (piece: Buffer) => this.#sent(piece));
    request.on('end', () => {
      if (this.#decoder === undefined) this.#end();
      else this.#decoder.end();
    });
    request.on('close', () => {
      if (!request.complete) this.#settle(undefined);
    });
    request.on('error', () => this.#settle(undefined));
    this.#decoder?.on('data', (piece: Buffer) => this.#keep(piece));
    this.#decoder?.on('end', () => this.#end());
    this.#decoder?.on('error', () => this.#refuse(400, 'body_broken', `is no ${coding}, or is cut short`));
  }

  #sent(piece: Buffer): void {
    if (this.#over) return;
    this.#hash.update(piece);
    this.#watch?.(piece);
    this.#received += piece.length;
    this.#pieces += 1;
    if (this.#pieces > MOST_SMALL && this.#received < this.#pieces * SMALL_PIECE) {
      this.#refuse(400, 'body_broken', `comes in pieces of less than ${SMALL_PIECE} bytes`);
      this.#request.socket.destroy();
      return;
    }
    if (this.#decoder === undefined) this.#keep(piece);
    else if (!this.#decoder.write(piece)) {
      this.#request.pause();
      this.#decoder.once('drain', () => this.#request.resume());
    }
  }

  #keep(piece: Buffer): void {
    if (this.#over) return;
    const size = this.#size + piece.length;
    if (size > this.#max_bytes) {
      this.#fill(piece.subarray(0, Math.max(0, Math.min(HEAD_BYTES, this.#max_bytes) - this.#size)));
      this.#refuse(413, 'body_too_large', `is longer than max_body_bytes (${this.#max_bytes})`);
      return;
    }
    if (size > RATIO_FROM && size > this.#received * MOST_RATIO) {
      this.#refuse(413, 'body_too_large', `is more than ${MOST_RATIO} times as long as what was sent`);
      return;
    }
    this.#fill(piece);
  }

  #fill(piece: Buffer): void {
    const size = this.#size + piece.length;
    // In one piece from the beginning: a client may send single bytes, and an object for each would be a hundred times as large.
    if (size > this.#kept.length) {
      const length = Math.min(this.#max_bytes, Math.max(FIRST_BYTES, size, this.#kept.length * 2));
      if (!this.#take(length - this.#kept.length)) return;
      const kept = Buffer.allocUnsafeSlow(length);
      this.#kept.copy(kept, 0, 0, this.#size);
      this.#kept = kept;
    }
    piece.copy(this.#kept, this.#size);
    this.#size = size;
  }

  #take(bytes: number): boolean {
    const taken = this.#share.take(bytes, this.#held);
    if (taken) this.#held += bytes;
    else this.#refuse(503, undefined, 'too many bodies are under way');
    return taken;
  }

  #end(): void {
    if (this.#over) return;
    const bytes = this.#kept.subarray(0, this.#size);
    const packed = (bytes[0] === 0x1f && bytes[1] === 0x8b) || (this.#size > 3 && bytes.readUInt32LE() === 0xfd2fb528);
    if (packed) {
      // Nothing can be masked in it, so nothing is kept.
      this.#size = 0;
      this.#refuse(400, 'body_broken', 'is compressed, and its content-encoding does not say so');
    } else this.#settle({ bytes, digest: this.#hash.digest(), release: () => this.#share.give(this.#held) });
  }

  #refuse(status: Refused['status'], reason: string | undefined, detail: string): void {
    const head = Buffer.from(this.#kept.subarray(0, Math.min(this.#size, HEAD_BYTES)));
    this.#settle({ status, ...(reason === undefined ? {} : { reason }), detail, head });
  }

  #settle(result: Body | Refused | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (result === undefined || 'status' in result) this.#share.give(this.#held);
    this.#decoder?.removeAllListeners('data').destroy();
    // What still comes is not read: it would cost as much as what is taken.
    if (!this.#request.complete) this.#request.pause();
    this.#done(result);
  }
}

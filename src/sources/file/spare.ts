import { READ_BYTES } from './log-file.ts';

/** One is read into, one is decoded, and some wait between them. */
const MOST = 8;

/**
 * Memory of pieces that were read, used again. While the spool commits, pieces live long enough to be old for V8, which frees them with its next full collection
 * only: half a megabyte each, 40 MB of them at a time.
 */
export class Spare {
  readonly #pieces: Buffer[] = [];

  readonly take = (): Buffer | undefined => this.#pieces.pop();

  give(piece: Buffer): void {
    if (piece.buffer.byteLength === READ_BYTES && this.#pieces.length < MOST) {
      this.#pieces.push(Buffer.from(piece.buffer));
    }
  }
}

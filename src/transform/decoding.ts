import type { Clock } from '../clock.ts';
import { Decoder, type DecodeOptions } from '../decode.ts';
import { LineCutter } from '../framing/lines.ts';
import { Slabs } from '../slabs.ts';
import { Order, type Made } from './order.ts';

/** Of a write only so much is decoded at once: what waits for a slow reader are bytes, not objects. */
const PIECE_BYTES = 1 << 16;

const SOURCE = { name: 'stream', position: (offset: number) => ({ offset }) };

/**
 * Bytes to events, in the order of their lines, with the decoder of `steptap run`. Nothing is decoded before somebody asks for it: one generator has to be
 * over before the next is begun.
 */
export class Decoding {
  readonly #cutter: LineCutter;
  readonly #decoder: Decoder;
  readonly #order = new Order();
  readonly #slabs = new Slabs();

  constructor(options: DecodeOptions, clock: Clock) {
    this.#cutter = new LineCutter(options.max_line_bytes);
    this.#decoder = new Decoder(SOURCE, options, clock, this.#slabs, undefined, this.#order.note);
  }

  /** True while an event is unfinished. */
  get open(): boolean {
    return this.#decoder.open;
  }

  *write(bytes: Buffer): Generator<Made, void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      for (const chunk of this.#cutter.push(bytes.subarray(at, at + PIECE_BYTES))) {
        yield* this.#made(this.#decoder.feed(chunk));
      }
    }
  }

  /** The events whose streams have said nothing more for a while. */
  *quiet(): Generator<Made, void> {
    yield* this.#made(this.#decoder.flush('quiet'));
  }

  *end(): Generator<Made, void> {
    for (const chunk of this.#cutter.end()) yield* this.#made(this.#decoder.feed(chunk));
    yield* this.#made(this.#decoder.flush('all'));
  }

  *#made({ batch }: ReturnType<Decoder['feed']>): Generator<Made, void> {
    yield* this.#order.made(batch);
    for (const { bytes } of batch.rows) this.#slabs.give(bytes.buffer as ArrayBuffer);
  }
}

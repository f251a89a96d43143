import { Head, NEVER } from './head.ts';

/** Bytes that are no msgpack, or more of it than anybody should send. */
export class MsgpackError extends Error {
  override readonly name = 'MsgpackError';
}

const NOTHING = Buffer.alloc(0);
/** What a socket gives at once. */
const PIECE_BYTES = 1 << 16;

/** Msgpack of Ruby, and so Fluentd, nests 128: a log that does must not hold up its neighbours. Every level costs whoever walks through it. */
const DEEPEST = 150;

/**
 * Cuts bytes that come in any pieces into whole values of msgpack. Each byte is looked at once, however it comes, and what a value claims to hold is believed only
 * as far as it fits: every value that is still to come takes a byte at least, so that one that cannot end within `max_bytes` is refused at its head.
 */
export class Values {
  /** A value of more bytes is refused. */
  max_bytes: number;
  #bytes: Buffer = NOTHING;
  /** False: the memory is somebody else's piece. */
  #own = false;
  #start = 0;
  #end = 0;
  /** How far the value in hand was looked through, and how many values of it are still to come. */
  #at = 0;
  #left = 1;
  /** Bytes that the value in hand has at least, as far as it says. */
  #least = 0;
  /** The same for each level that is open. */
  readonly #open: number[] = [];
  readonly #head = new Head();

  constructor(max_bytes: number, bytes?: Buffer) {
    this.max_bytes = max_bytes;
    if (bytes !== undefined) this.push(bytes);
  }

  /** Bytes that belong to no value yet. */
  get held(): number {
    return this.#end - this.#start;
  }

  push(piece: Buffer): void {
    if (this.held === 0) {
      this.#bytes = piece;
      this.#own = false;
      this.#at -= this.#start;
      this.#start = 0;
      this.#end = piece.length;
      return;
    }
    this.#room(piece.length);
    piece.copy(this.#bytes, this.#end);
    this.#end += piece.length;
  }

  /** The next whole value, to be read before the next `push`; undefined when there is none yet. Throws a MsgpackError, and is then of no more use. */
  next(): Buffer | undefined {
    if (!this.#whole()) return undefined;
    const value = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    this.#left = 1;
    return value;
  }

  #whole(): boolean {
    const head = this.#head;
    const open = this.#open;
    while (this.#left > 0 || open.length > 0) {
      if (this.#left === 0) {
        this.#left = open.pop()!;
        continue;
      }
      if (!head.read(this.#bytes, this.#at, this.#end)) return false;
      if (head.kind === NEVER) throw new MsgpackError('bytes that are no msgpack');
      this.#left -= 1;
      this.#at = head.body + head.length;
      this.#least = this.#at - this.#start + this.#left + head.items;
      if (this.#least > this.max_bytes) throw new MsgpackError(`a value of more than ${this.max_bytes} bytes`);
      if (head.items === 0) continue;
      if (open.length === DEEPEST) throw new MsgpackError(`values nested more than ${DEEPEST} levels deep`);
      open.push(this.#left);
      this.#left = head.items;
    }
    return this.#at <= this.#end;
  }

  /**
   * Makes room behind what is held, in memory of its own: for all of a value that has said how long it is, which the system gives only as it is filled; else twice as
   * much each time, so that copying stays in proportion.
   */
  #room(more: number): void {
    const { held } = this;
    if (this.#own && this.#end + more <= this.#bytes.length) return;
    const fits = this.#own && held + more <= this.#bytes.length >> 1;
    const double = Math.max(4096, 2 * (held + more));
    const size = this.#least > double ? this.#least + PIECE_BYTES : double;
    const to = fits ? this.#bytes : Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(to, 0, this.#start, this.#end);
    this.#bytes = to;
    this.#own = true;
    this.#at -= this.#start;
    this.#start = 0;
    this.#end = held;
  }
}

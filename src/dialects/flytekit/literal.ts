/** Bytes to compare with, four at a time: a third of the time of one by one. */
export class Literal {
  readonly length: number;
  readonly #words: Int32Array;
  readonly #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#words = Int32Array.from({ length: bytes.length >> 2 }, (_, n) => view.getInt32(n * 4, true));
    this.#rest = Uint8Array.from(bytes.subarray(bytes.length & ~3));
  }

  /** True when they stand at `at`. There must be room. */
  stands(view: DataView, at: number): boolean {
    const words = this.#words;
    let offset = at;
    for (let n = 0; n < words.length; n++, offset += 4) if (view.getInt32(offset, true) !== words[n]) return false;
    const rest = this.#rest;
    for (let n = 0; n < rest.length; n++) if (view.getUint8(offset + n) !== rest[n]) return false;
    return true;
  }
}

export function literal(text: string): Literal {
  return new Literal(Buffer.from(text, 'latin1'));
}

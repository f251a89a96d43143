/** What a value of msgpack is, as far as anybody here tells them apart. */
export const NIL = 0;
export const FALSE = 1;
export const TRUE = 2;
/** A small number, in the head itself: `number`. */
export const FIX = 3;
export const INT = 4;
export const UINT = 5;
export const FLOAT = 6;
export const STR = 7;
export const BIN = 8;
export const EXT = 9;
export const ARRAY = 10;
export const MAP = 11;
/** A byte that begins no value. */
export const NEVER = 12;

/** The bytes 0xc0 to 0xdf: kind, bytes of the length behind it, or of the value itself where it has no length. */
const KINDS = [NIL, NEVER, FALSE, TRUE, BIN, BIN, BIN, EXT, EXT, EXT, FLOAT, FLOAT, UINT, UINT, UINT, UINT].concat([
  INT,
  INT,
  INT,
  INT,
  EXT,
  EXT,
  EXT,
  EXT,
  EXT,
  STR,
  STR,
  STR,
  ARRAY,
  ARRAY,
  MAP,
  MAP,
]);
const SIZES = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 16, 1, 2, 4, 2, 4, 2, 4];

/** The head of a value of msgpack: what it is and how much of it there is. One object is used for many values. */
export class Head {
  kind = NIL;
  /** Where its bytes begin, behind the head: text, binary, the bytes of a number; of an extension its type, and then its data. */
  body = 0;
  length = 0;
  /** Values inside: of a map two for each of its members. */
  items = 0;
  /** Of FIX. */
  number = 0;

  /** Reads the head at `at`. False when not all of it lies before `end`. */
  read(bytes: Buffer, at: number, end: number): boolean {
    if (at >= end) return false;
    const byte = bytes[at]!;
    this.body = at + 1;
    this.length = 0;
    this.items = 0;
    if (byte < 0x80 || byte >= 0xe0) {
      this.kind = FIX;
      this.number = byte < 0x80 ? byte : byte - 0x100;
    } else if (byte >= 0xc0) return this.#long(bytes, at, end, byte - 0xc0);
    else if (byte >= 0xa0) {
      this.kind = STR;
      this.length = byte & 0x1f;
    } else {
      this.kind = byte < 0x90 ? MAP : ARRAY;
      this.items = byte < 0x90 ? (byte & 0x0f) * 2 : byte & 0x0f;
    }
    return true;
  }

  #long(bytes: Buffer, at: number, end: number, row: number): boolean {
    const kind = (this.kind = KINDS[row]!);
    const size = SIZES[row]!;
    if (kind <= FLOAT || kind === NEVER) {
      this.length = size;
      return true;
    }
    // Extensions of a fixed size have no length behind the byte.
    if (kind === EXT && row >= 0x14) {
      this.length = size + 1;
      return true;
    }
    if (at + 1 + size > end) return false;
    const said = bytes.readUIntBE(at + 1, size);
    this.body = at + 1 + size;
    if (kind === ARRAY) this.items = said;
    else if (kind === MAP) this.items = said * 2;
    else this.length = kind === EXT ? said + 1 : said;
    return true;
  }
}

import { literal, type Literal } from './literal.ts';

/*
 * Finds the fields of a step in the bytes of its line, as the producer's formatter writes it: fixed keys in a fixed order, `", "` and `": "`, ASCII without
 * escapes. Takes only what it has understood to the last byte; everything else goes to the reference decoder, which says what a line means. A
 * property test holds the two together.
 */

const ASCTIME = literal('{"asctime": "');
const FIXED = literal('", "name": "flytekit.telemetry", "levelname": "INFO", "message": "flytekit_step", ');
const TASK_NAME_NULL = literal('"taskName": null, ');
const STEP = literal('"event": "flytekit_step", "step": "');
const WALL = literal('", "wall_time_s": ');
const PROCESS = literal(', "process_time_s": ');
const SUCCESS = literal(', "status": "success"');
const ERROR = literal(', "status": "error", "error_type": "');
const EXECUTION = literal(', "execution_id": "');
const TASK = literal('", "task_name": "');
const PROJECT = literal('", "project": "');
const DOMAIN = literal('", "domain": "');

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7d;
const DAY_US = 86_400_000_000;
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

export class StepScan {
  /** `asctime` as if it were UTC, in microseconds. */
  local_us = 0;
  /** Offset of its first byte. */
  asctime = 0;
  stepStart = 0;
  stepEnd = 0;
  stepHash = 0;
  wallStart = 0;
  wallEnd = 0;
  wall_time_s = 0;
  processStart = 0;
  processEnd = 0;
  /** Equal offsets: a success. */
  errorStart = 0;
  errorEnd = 0;
  /** From `, "execution_id"` to the quote that ends `domain`; equal offsets where the line has none of the four. */
  identityStart = 0;
  identityEnd = 0;
  identityHash = 0;
  /** What follows: extras, and the closing brace. */
  tail = 0;
  tailEnd = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #words: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;
  #hash = 0;
  #number = 0;
  #date = 0;
  #day_us = 0;

  /** True when the bytes `[start, end)` are such a line; then the fields are set. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    // The shortest such line is longer than this; it keeps every literal's comparison inside the buffer.
    if (end - start < 200 || bytes[end - 1] !== BRACE) return false;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#at = start;
    this.#end = end;
    if (!this.#literal(ASCTIME)) return false;
    this.asctime = this.#at;
    if (!this.#time() || !this.#literal(FIXED)) return false;
    this.#literal(TASK_NAME_NULL);
    if (!this.#literal(STEP)) return false;
    this.stepStart = this.#at;
    this.#hash = 0;
    if (!this.#text() || this.#at === this.stepStart) return false;
    this.stepEnd = this.#at;
    this.stepHash = this.#hash;
    if (!this.#literal(WALL)) return false;
    this.wallStart = this.#at;
    if (!this.#decimal()) return false;
    this.wallEnd = this.#at;
    this.wall_time_s = this.#number;
    if (!this.#literal(PROCESS)) return false;
    this.processStart = this.#at;
    if (!this.#decimal()) return false;
    this.processEnd = this.#at;
    return this.#status() && this.#identity() && this.#rest();
  }

  #status(): boolean {
    this.errorStart = this.errorEnd = 0;
    if (this.#literal(SUCCESS)) return true;
    if (!this.#literal(ERROR)) return false;
    this.errorStart = this.#at;
    if (!this.#text() || this.#at === this.errorStart) return false;
    this.errorEnd = this.#at++;
    return true;
  }

  #identity(): boolean {
    this.identityStart = this.identityEnd = this.#at;
    this.#hash = 0;
    if (!this.#literal(EXECUTION)) return true;
    if (!this.#text() || !this.#literal(TASK)) return false;
    if (!this.#text() || !this.#literal(PROJECT)) return false;
    if (!this.#text() || !this.#literal(DOMAIN)) return false;
    if (!this.#text()) return false;
    this.identityEnd = this.#at++;
    this.identityHash = this.#hash;
    return true;
  }

  #rest(): boolean {
    this.tail = this.#at;
    this.tailEnd = this.#end;
    return this.#at < this.#end;
  }

  /** Passes the literal if it stands here. */
  #literal(literal: Literal): boolean {
    const { length } = literal;
    if (this.#at + length > this.#end || !literal.stands(this.#words, this.#at)) return false;
    this.#at += length;
    return true;
  }

  /** True when the bytes at `start` are the literal. */
  same(start: number, end: number, literal: Literal): boolean {
    return end - start === literal.length && literal.stands(this.#words, start);
  }

  /** True when the `length` bytes at `start` are those in `words` from `offset` on, little-endian. */
  sameWords(start: number, length: number, words: Int32Array, offset: number): boolean {
    const view = this.#words;
    const whole = length >> 2;
    for (let n = 0; n < whole; n++) if (view.getInt32(start + n * 4, true) !== words[offset + n]) return false;
    for (let n = whole * 4; n < length; n++) {
      if (this.#bytes[start + n] !== ((words[offset + whole]! >> ((n & 3) * 8)) & 0xff)) return false;
    }
    return true;
  }

  /** Passes plain text up to a quote, and hashes it. */
  #text(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let hash = this.#hash;
    let at = this.#at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.#at = at;
        this.#hash = Math.imul(hash ^ 0x1f, 0x01000193);
        return true;
      }
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return false;
  }

  /** Passes a JSON number of at most 15 digits that is not negative: then mantissa and power are exact, and so is the quotient. */
  #decimal(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    let mantissa = 0;
    let digit = bytes[at]! - 48;
    for (; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) mantissa = mantissa * 10 + digit;
    const whole = at - start;
    if (whole === 0 || (whole > 1 && bytes[start] === 48)) return false;
    let places = 0;
    if (bytes[at] === 0x2e) {
      const point = at;
      digit = bytes[++at]! - 48;
      for (; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) mantissa = mantissa * 10 + digit;
      places = at - point - 1;
      if (places === 0) return false;
    }
    if (whole + places > 15) return false;
    if (bytes[at] === 0x65 && bytes[at + 1] === 0x2d) {
      // Python writes 5e-06 for what is below a ten-thousandth.
      const tens = bytes[at + 2]! - 48;
      const ones = bytes[at + 3]! - 48;
      if (!(tens === 0 && ones >= 0 && ones <= 9)) return false;
      at += 4;
      places += ones;
    }
    if (places > 22) return false;
    this.#number = places === 0 ? mantissa : mantissa / POWERS[places]!;
    this.#at = at;
    return true;
  }

  /** Passes `YYYY-MM-DD HH:MM:SS,mmm`. */
  #time(): boolean {
    const at = this.#at;
    const bytes = this.#bytes;
    if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d || bytes[at + 10] !== 0x20) return false;
    if (bytes[at + 13] !== 0x3a || bytes[at + 16] !== 0x3a || bytes[at + 19] !== 0x2c) return false;
    const month = this.#two(at + 5);
    const day = this.#two(at + 8);
    const hour = this.#two(at + 11);
    const minute = this.#two(at + 14);
    const second = this.#two(at + 17);
    const year = this.#two(at) * 100 + this.#two(at + 2);
    const milli = this.#two(at + 20) * 10 + (bytes[at + 22]! - 48);
    // Anything that is no digit makes its number too large or too small for its range.
    if (
      !(
        year >= 1970 &&
        year <= 2261 &&
        hour >= 0 &&
        hour <= 23 &&
        minute >= 0 &&
        minute <= 59 &&
        second >= 0 &&
        second <= 59
      )
    )
      return false;
    if (!(milli >= 0 && milli <= 999 && bytes[at + 22]! >= 48 && bytes[at + 22]! <= 57)) return false;
    const date = year * 10_000 + month * 100 + day;
    if (date !== this.#date) {
      const ms = Date.UTC(year, month - 1, day);
      if (!(month >= 1 && month <= 12 && day >= 1) || new Date(ms).getUTCDate() !== day) return false;
      this.#date = date;
      this.#day_us = ms * 1000;
    }
    this.local_us = this.#day_us + ((hour * 60 + minute) * 60 + second) * 1_000_000 + milli * 1000;
    this.#at = at + 23;
    return this.local_us < this.#day_us + DAY_US;
  }

  /** Two digits; a number outside of 0 to 99 if they are not. */
  #two(at: number): number {
    const tens = this.#bytes[at]! - 48;
    const ones = this.#bytes[at + 1]! - 48;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000;
  }
}

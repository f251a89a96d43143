import type { Body } from '../sinks/identity.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;

/** Where the number of values in an array or a map stands, and what it will be. */
interface Open {
  readonly map: boolean;
  readonly at: number;
  values: number;
}

/**
 * Appends the msgpack of JSON text that is known to be right: a row. Numbers of 64 bits keep their digits, others become a double; text is copied. The lengths of
 * arrays and maps are put in when they end, always in four bytes.
 */
export function writeMsgpack(json: Buffer, start: number, end: number, to: Body): void {
  const open: Open[] = [];
  let at = start;
  while (at < end) {
    const byte = json[at]!;
    if (byte === COMMA || byte === COLON || byte <= 0x20) at++;
    else if (byte === BRACKET + 2 || byte === BRACE + 2) {
      const { map, at: place, values } = open.pop()!;
      to.bytes.writeUInt32BE(map ? values / 2 : values, place);
      at++;
    } else {
      const inside = open.at(-1);
      if (inside !== undefined) inside.values += 1;
      if (byte === BRACKET || byte === BRACE) {
        to.reserve(5);
        to.bytes[to.length] = byte === BRACE ? 0xdf : 0xdd;
        open.push({ map: byte === BRACE, at: to.length + 1, values: 0 });
        to.length += 5;
        at++;
      } else at = byte === QUOTE ? writeString(json, at, to) : writeWord(json, at, end, to);
    }
  }
}

/** Gives the offset behind the string. */
function writeString(json: Buffer, start: number, to: Body): number {
  let escaped = false;
  let end = start + 1;
  for (; json[end] !== QUOTE; end++) {
    if (json[end] !== BACKSLASH) continue;
    escaped = true;
    end++;
  }
  if (escaped) {
    const text = Buffer.from(JSON.parse(json.toString('utf8', start, end + 1)) as string);
    writeText(text, 0, text.length, to);
  } else writeText(json, start + 1, end, to);
  return end + 1;
}

export function writeText(bytes: Buffer, start: number, end: number, to: Body): void {
  const length = end - start;
  to.reserve(length + 5);
  const out = to.bytes;
  if (length < 32) out[to.length++] = 0xa0 | length;
  else if (length < 0x1_0000) {
    out[to.length] = 0xda;
    to.length = out.writeUInt16BE(length, to.length + 1);
  } else {
    out[to.length] = 0xdb;
    to.length = out.writeUInt32BE(length, to.length + 1);
  }
  bytes.copy(out, to.length, start, end);
  to.length += length;
}

/** Bytes that a number or a word is made of. */
const WORD = Uint8Array.from({ length: 256 }, (_, byte) => (/[-+.\w]/.test(String.fromCharCode(byte)) ? 1 : 0));
const INTEGER = /^-?\d{1,20}$/;

/** A number, or `true`, `false`, `null`. */
function writeWord(json: Buffer, start: number, end: number, to: Body): number {
  let stop = start;
  while (stop < end && WORD[json[stop]!] === 1) stop++;
  const word = json.latin1Slice(start, stop);
  to.reserve(9);
  const out = to.bytes;
  const { length } = to;
  const whole = INTEGER.test(word) ? BigInt(word) : undefined;
  if (word === 'null') out[to.length++] = 0xc0;
  else if (word === 'false' || word === 'true') out[to.length++] = word === 'true' ? 0xc3 : 0xc2;
  else if (whole !== undefined && whole >= 0n && whole < 128n) out[to.length++] = Number(whole);
  else if (whole !== undefined && BigInt.asUintN(64, whole) === whole) {
    out[length] = 0xcf;
    to.length = out.writeBigUInt64BE(whole, length + 1);
  } else if (whole !== undefined && BigInt.asIntN(64, whole) === whole) {
    out[length] = 0xd3;
    to.length = out.writeBigInt64BE(whole, length + 1);
  } else {
    out[length] = 0xcb;
    to.length = out.writeDoubleBE(Number(word), length + 1);
  }
  return stop;
}

import type { Body } from '../sinks/identity.ts';
import { ARRAY, BIN, EXT, FALSE, FIX, FLOAT, Head, INT, MAP, NIL, STR, TRUE, UINT } from './head.ts';
import { MsgpackError } from './values.ts';

/*
 * Msgpack as JSON text, byte to byte. Objects in between would cost ten times the memory where somebody means harm, and would change what they hold: numbers
 * beyond 2^53, `__proto__`, names that come twice.
 *
 *   integers          as they are, all 64 bits
 *   floats            with a point, `1.0`; NaN and infinities, which JSON has not, are null
 *   text, binary      the same bytes, escaped; whoever reads them puts U+FFFD where they are no UTF-8
 *   event times       RFC 3339 with nanoseconds
 *   extensions        their data in base64
 *   names             text; those that are something else, as their JSON in quotes
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const EVENT_TIME = 0;

/** An array or a map whose end is still to come. */
interface Open {
  readonly map: boolean;
  readonly items: number;
  /** Values that are still to come. */
  left: number;
}

/** Appends the JSON of the whole value at the beginning of `bytes`. False when that is more than `max_bytes`: then only its beginning is there. */
export function writeJson(bytes: Buffer, to: Body, max_bytes: number): boolean {
  const head = new Head();
  const open: Open[] = [];
  const limit = to.length + max_bytes;
  let at = 0;
  do {
    head.read(bytes, at, bytes.length);
    at = head.body + head.length;
    const inside = open.at(-1);
    const name = inside?.map === true && inside.left % 2 === 0;
    to.reserve(1);
    if (inside !== undefined && inside.left-- < inside.items)
      to.bytes[to.length++] = inside.map && !name ? COLON : COMMA;
    if (head.kind === ARRAY || head.kind === MAP) {
      if (name) throw new MsgpackError('a map with a name that is an array or a map');
      const { kind, items } = head;
      open.push({ map: kind === MAP, items, left: items });
      to.reserve(1);
      to.bytes[to.length++] = kind === MAP ? BRACE : BRACKET;
    } else if (head.kind === STR || head.kind === BIN) {
      // Behind the limit nothing is looked at any more.
      writeText(bytes, head.body, Math.min(at, head.body + limit - to.length + 1), to);
    } else {
      const text = scalar(bytes, head);
      to.reserve(text.length + 2);
      to.ascii(name && !text.startsWith('"') ? `"${text}"` : text);
    }
    if (to.length > limit) return false;
    for (let last = open.at(-1); last?.left === 0; last = open.at(-1)) {
      open.pop();
      to.reserve(1);
      // A closing bracket stands two behind its opening one.
      to.bytes[to.length++] = (last.map ? BRACE : BRACKET) + 2;
    }
  } while (open.length > 0);
  return true;
}

/** The JSON of what is neither text nor nested. */
export function scalar(bytes: Buffer, { kind, number, body, length }: Head): string {
  switch (kind) {
    case NIL:
      return 'null';
    case FALSE:
      return 'false';
    case TRUE:
      return 'true';
    case FIX:
      return String(number);
    case INT:
      return length === 8 ? String(bytes.readBigInt64BE(body)) : String(bytes.readIntBE(body, length));
    case UINT:
      return length === 8 ? String(bytes.readBigUInt64BE(body)) : String(bytes.readUIntBE(body, length));
    case FLOAT:
      return floatText(length === 8 ? bytes.readDoubleBE(body) : bytes.readFloatBE(body));
    case EXT: {
      if (isEventTime(bytes, body, length)) return `"${eventTime(bytes, body)}"`;
      return `"${bytes.toString('base64', body + 1, body + length)}"`;
    }
    default:
      throw new MsgpackError('bytes that are no msgpack');
  }
}

function floatText(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** Extension 0 of eight bytes: seconds and nanoseconds. */
export function isEventTime(bytes: Buffer, body: number, length: number): boolean {
  return length === 9 && bytes[body] === EVENT_TIME;
}

export function eventTime(bytes: Buffer, body: number): string {
  const seconds = new Date(bytes.readUInt32BE(body + 1) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(bytes.readUInt32BE(body + 5)).padStart(9, '0')}Z`;
}

/** A JSON string of these bytes. */
function writeText(bytes: Buffer, start: number, end: number, to: Body): void {
  to.reserve(end - start + 2);
  to.bytes[to.length++] = QUOTE;
  let plain = start;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) continue;
    copy(bytes, plain, at, to);
    // What is left, its closing quote, and the longest escape.
    to.reserve(end - at + 7);
    to.ascii(ESCAPES[byte]!);
    plain = at + 1;
  }
  copy(bytes, plain, end, to);
  to.bytes[to.length++] = QUOTE;
}

function copy(bytes: Buffer, start: number, end: number, to: Body): void {
  if (start === end) return;
  bytes.copy(to.bytes, to.length, start, end);
  to.length += end - start;
}

/** By byte: how JSON writes it in a string. */
const ESCAPES = Array.from({ length: BACKSLASH + 1 }, (_, byte) =>
  JSON.stringify(String.fromCharCode(byte)).slice(1, -1),
);

import { gunzipSync } from 'node:zlib';
import { MOST_BYTES, MOST_RATIO, UNSUSPECTED_BYTES } from '../../forward/limits.ts';
import { ARRAY, BIN, EXT, FIX, FLOAT, Head, INT, MAP, STR, UINT } from '../../msgpack/head.ts';
import { eventTime, isEventTime, scalar, writeJson } from '../../msgpack/json.ts';
import { MsgpackError, Values } from '../../msgpack/values.ts';
import type { Body } from '../../sinks/identity.ts';
import { errorCode } from '../../errors.ts';

/*
 * The messages of Fluentd's forward protocol, version 1:
 *
 *   Message             [tag, time, record, option?]
 *   Forward             [tag, [[time, record], ...], option?]
 *   PackedForward       [tag, entries as binary or text, option?]      with `compressed: gzip`, in gzip
 *
 * A time is a number of seconds, an EventTime (extension 0), or `[time, metadata]`, as Fluent Bit 5 writes it. Its entries at -1 and -2 seconds mark the beginning
 * and the end of a group, and are no records.
 */

/** What a message says behind its entries. */
export interface Option {
  /** What its sender waits for; msgpack, as it was sent. */
  readonly chunk?: Buffer;
  readonly compressed?: string;
  /** 1 and 2: metrics and traces of Fluent Bit, and no logs. */
  readonly fluent_signal?: number;
  /** Of a steptap: its records are rows as it stores them. */
  readonly steptap?: number;
}

/** A message whose entries are not looked at yet. */
export interface Message {
  readonly tag: Buffer;
  readonly option: Option;
  /** `[time, record]`, in one message at a time only. */
  readonly entries: () => Iterable<Entry>;
}

export interface Entry {
  readonly time: Buffer;
  readonly record: Buffer;
}

/** Reads a whole message. Throws a MsgpackError for what is none. */
export function readMessage(frame: Buffer): Message {
  const { head, values } = openArray(frame, 'a message');
  const tag = bytesOf(take(values), 'a tag');
  const second = take(values);
  const first = headOf(second);
  const packed = first.kind === STR || first.kind === BIN;
  const many = first.kind === ARRAY && !isTimed(second, first);
  const record = packed || many ? undefined : take(values);
  const last = head.items > (record === undefined ? 2 : 3) ? readOption(take(values)) : {};
  return {
    tag,
    option: last,
    *entries() {
      if (record !== undefined) yield { time: second, record };
      else if (many) yield* entriesIn(second.subarray(first.body), first.items);
      else yield* entriesIn(unpacked(bytesOf(second, 'entries'), last), Number.POSITIVE_INFINITY);
    },
  };
}

/** `[EventTime, metadata]`: an array of entries has arrays in it. */
function isTimed(array: Buffer, { body, items }: Head): boolean {
  return items > 0 && headOf(array.subarray(body)).kind !== ARRAY;
}

function* entriesIn(bytes: Buffer, most: number): Iterable<Entry> {
  const entries = new Values(MOST_BYTES, bytes);
  for (let n = 0; n < most; n++) {
    const entry = entries.next();
    if (entry === undefined) break;
    const { values } = openArray(entry, 'an entry');
    yield { time: take(values), record: take(values) };
  }
  if (entries.held > 0 && most === Number.POSITIVE_INFINITY) throw new MsgpackError('entries that end in the middle');
}

function unpacked(bytes: Buffer, { compressed = 'text' }: Option): Buffer {
  if (compressed === 'text') return bytes;
  if (compressed !== 'gzip')
    throw new MsgpackError('entries that are compressed in another way than gzip: let their sender use that');
  const maxOutputLength = Math.min(MOST_BYTES, Math.max(UNSUSPECTED_BYTES, MOST_RATIO * bytes.length));
  // Its last word is how long it was: who is honest about too much need not be unpacked.
  const said = bytes.length < 18 ? 0 : bytes.readUInt32LE(bytes.length - 4);
  if (said > maxOutputLength) throw tooLarge();
  try {
    return gunzipSync(bytes, { maxOutputLength });
  } catch (error) {
    if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new MsgpackError('entries that are no gzip');
  }
}

function tooLarge(): MsgpackError {
  return new MsgpackError(
    `entries in gzip of more than ${MOST_BYTES >> 20} MiB, or of more than ${MOST_RATIO} times its size`,
  );
}

function readOption(bytes: Buffer): Option {
  const head = headOf(bytes);
  if (head.kind !== MAP) return {};
  const values = new Values(MOST_BYTES, bytes.subarray(head.body));
  const option: { -readonly [Name in keyof Option]: Option[Name] } = {};
  for (let left = head.items; left > 0; left -= 2) {
    const name = textOf(take(values));
    const value = take(values);
    if (name === 'chunk' && textOf(value) !== undefined) option.chunk = Buffer.from(value);
    else if (name === 'compressed') option.compressed = textOf(value) ?? 'another way';
    else if (name === 'fluent_signal' || name === 'steptap') option[name] = numberOf(value);
  }
  return option;
}

/**
 * Appends a line for the entry: its record in JSON, with the time as `date` before all that it says itself, so that a `date` of its own is the one that counts.
 * False when it is no record. A line is no longer than `max_bytes`, by much: one that would be is cut.
 */
export function writeEntry({ time, record }: Entry, to: Body, max_bytes: number): boolean {
  const date = dateOf(time);
  if (date === GROUP) return false;
  const head = headOf(record);
  to.reserve(date.length + 16);
  to.ascii(date === '' ? '{' : `{"date":${date}`);
  if (head.kind !== MAP) {
    to.ascii(date === '' ? '"log":' : ',"log":');
    if (writeJson(record, to, max_bytes)) to.ascii('}');
  } else {
    // The record's own brace becomes the comma behind the time.
    const brace = date === '' ? (to.length -= 1) : to.length;
    writeJson(record, to, max_bytes);
    if (date !== '' && head.items > 0) to.bytes[brace] = COMMA;
    else if (date !== '') to.bytes.copyWithin(brace, brace + 1, to.length--);
  }
  to.reserve(1);
  to.bytes[to.length++] = NEWLINE;
  return true;
}

/** The record of a row, as it is. */
export function writeRow({ record }: Entry, to: Body, max_bytes: number): void {
  writeJson(record, to, max_bytes);
  to.reserve(1);
  to.bytes[to.length++] = NEWLINE;
}

const COMMA = 0x2c;
const NEWLINE = 0x0a;
const GROUP = 'group';

/** A time as JSON; `''` when it is none. */
function dateOf(time: Buffer): string {
  const head = headOf(time);
  switch (head.kind) {
    case ARRAY:
      return head.items === 0 ? '' : dateOf(take(new Values(MOST_BYTES, time.subarray(head.body))));
    case EXT:
      if (!isEventTime(time, head.body, head.length)) return '';
      return isGroup(time.readInt32BE(head.body + 1)) ? GROUP : `"${eventTime(time, head.body)}"`;
    case FIX:
    case INT:
    case UINT:
    case FLOAT: {
      const text = scalar(time, head);
      return isGroup(Number(text)) ? GROUP : text;
    }
    default:
      return '';
  }
}

function isGroup(seconds: number): boolean {
  return seconds === -1 || seconds === -2;
}

function openArray(bytes: Buffer, what: string): { head: Head; values: Values } {
  const head = headOf(bytes);
  if (head.kind !== ARRAY || head.items < 2) throw new MsgpackError(`something that is not ${what}`);
  return { head, values: new Values(MOST_BYTES, bytes.subarray(head.body)) };
}

function take(values: Values): Buffer {
  const value = values.next();
  if (value === undefined) throw new MsgpackError('a message that is not whole');
  return value;
}

function headOf(bytes: Buffer): Head {
  const head = new Head();
  head.read(bytes, 0, bytes.length);
  return head;
}

function bytesOf(value: Buffer, what: string): Buffer {
  const { kind, body, length } = headOf(value);
  if (kind !== STR && kind !== BIN) throw new MsgpackError(`something that is not ${what}`);
  return value.subarray(body, body + length);
}

function textOf(value: Buffer): string | undefined {
  const { kind, body, length } = headOf(value);
  return kind === STR || kind === BIN ? value.toString('utf8', body, body + length) : undefined;
}

function numberOf(value: Buffer): number {
  const head = headOf(value);
  return head.kind === FIX || head.kind === UINT ? Number(scalar(value, head)) : 0;
}

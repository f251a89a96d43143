import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { MOST_RATIO, ROWS_VERSION, UNSUSPECTED_BYTES } from '../../forward/limits.ts';
import { msgpack } from '../../msgpack/library.ts';
import { writeMsgpack } from '../../msgpack/from-json.ts';
import { Body, columnIdentity, writeRows } from '../identity.ts';
import type { Part } from '../sink.ts';

const zip = promisify(gzip);

/** Whoever takes them makes the same rows of them again, as one record: a steptap takes 15 MiB of those. */
const MOST_ROW_BYTES = 12 << 20;
/** Behind the identity columns, the time of each row. */
const TS = Buffer.from('"ts":"');
/** An array of two, and an EventTime in it. */
const ENTRY = Uint8Array.of(0x92, 0xd7, 0x00);

/** What a part is known by: the same rows have the same chunk, whenever they are sent. */
export function chunkOf({ token, table, settled }: Part): string {
  const all = settled === undefined || settled.every((each) => each === 0);
  return `steptap-${token}-${table}${all ? '' : `-${createHash('sha256').update(settled).digest('hex').slice(0, 16)}`}`;
}

/** Makes entries of rows, in memory that is used again. */
export class Entries {
  readonly #rows = new Body();
  readonly #packed = new Body();

  /** The rows of the part that are not settled, one behind the other; undefined for more than a receiver would take. Valid until the next call. */
  pack(part: Part): { readonly bytes: Buffer; readonly count: number } | undefined {
    const rows = this.#rows;
    const packed = this.#packed;
    rows.length = 0;
    packed.length = 0;
    writeRows(part, rows, columnIdentity);
    if (rows.length > MOST_ROW_BYTES) return undefined;
    let count = 0;
    for (let start = 0; start < rows.length; count++) {
      const end = rows.bytes.indexOf(10, start);
      this.#begin(rows.bytes.indexOf(TS, start) + TS.length);
      writeMsgpack(rows.bytes, start, end, packed);
      start = end + 1;
    }
    return { bytes: packed.view(), count };
  }

  /** The time that stands at `at`: `2026-11-21T12:00:00.123456Z`. Seconds are unsigned, and end in 2106. */
  #begin(at: number): void {
    const text = this.#rows.bytes.latin1Slice(at, at + 26);
    const seconds = Date.parse(`${text.slice(0, 19)}Z`) / 1000;
    const packed = this.#packed;
    packed.reserve(ENTRY.length + 8);
    packed.bytes.set(ENTRY, packed.length);
    packed.bytes.writeUInt32BE(seconds % 2 ** 32, packed.length + ENTRY.length);
    packed.bytes.writeUInt32BE(Number(text.slice(20)) * 1000, packed.length + ENTRY.length + 4);
    packed.length += ENTRY.length + 8;
  }
}

export interface FrameOptions {
  readonly tag: string;
  readonly gzip: boolean;
  /** What it is to be acknowledged as; absent: not at all. */
  readonly chunk: string | undefined;
}

/** A message in PackedForward mode. */
export async function frameOf(
  entries: Buffer,
  size: number,
  { tag, gzip: zips, chunk }: FrameOptions,
): Promise<Buffer> {
  const packed = zips ? await zip(entries) : entries;
  // A receiver takes for a bomb what shrinks so much.
  const bomb = entries.length > UNSUSPECTED_BYTES && entries.length > MOST_RATIO * packed.length;
  const option = {
    ...(chunk === undefined ? {} : { chunk }),
    size,
    ...(zips && !bomb ? { compressed: 'gzip' } : {}),
    steptap: ROWS_VERSION,
  };
  return Buffer.from(msgpack().encode([tag, bomb ? entries : packed, option]));
}

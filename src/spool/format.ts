import { crc32 } from 'node:zlib';
import { TABLES } from '../batch.ts';
import { rowsBy, type Mark } from './mark.ts';

/*
 * A segment is a file of records, one after the other, numbers little-endian:
 *
 *   0  magic            4   bytes that no row can hold: they are not UTF-8
 *   4  kind             1   1 snapshot, 2 batch, 3 seal
 *   5  version          1
 *   6  group            2   how many batches before it were written with it: those before these had been committed
 *   8  seq              8   of a batch; of a snapshot the number before its first batch, of a seal that of the last one
 *  16  payload length   4
 *  20  day              4   yyyymmdd
 *  24  committed        8   wall clock, milliseconds since 1970
 *  32  rows before      48  by table, in the order of TABLES: committed before this record, since the spool was made
 *  80  bytes before     8
 *  88  rows             24  of this record, by table
 * 112  spool            8
 * 120  epoch            6
 * 126  (0)              2
 * 128  payload CRC      4
 * 132  header CRC       4   of the bytes before it
 *
 * The first record of a segment is its snapshot; a segment that was closed in order ends with its seal, an index of it. A record says what it is by itself:
 * whichever bytes of a segment are damaged, those around them can be read.
 */

export const HEADER_BYTES = 136;
export const MAGIC = Uint8Array.of(0xfe, 0xf8, 0xff, 0x9d);
const MAGIC_WORD = 0x9dff_f8fe;
const VERSION = 2;

export type Kind = 'snapshot' | 'batch' | 'seal';
const KINDS: readonly (Kind | undefined)[] = [undefined, 'snapshot', 'batch', 'seal'];

export interface Header {
  readonly kind: Kind;
  readonly seq: number;
  /** So many batches before it became durable together with it, or not at all. */
  readonly group: number;
  readonly length: number;
  /** `YYYY-MM-DD`. */
  readonly day: string;
  readonly committed_ms: number;
  readonly before: Mark;
  /** Rows of this record; `bytes` is its whole length. */
  readonly size: Mark;
  /** `<spool>-<epoch>`. */
  readonly src: string;
  readonly payload_crc: number;
}

/** CRC-32 of the pieces as one. */
export function checksum(pieces: readonly Uint8Array[]): number {
  let crc = 0;
  for (const piece of pieces) crc = crc32(piece, crc);
  return crc;
}

export function encodeHeader(header: Header): Buffer {
  const out = Buffer.alloc(HEADER_BYTES);
  const { before, size } = header;
  out.set(MAGIC);
  out[4] = KINDS.indexOf(header.kind);
  out[5] = VERSION;
  out.writeUInt16LE(header.group, 6);
  writeNumber(out, header.seq, 8);
  out.writeUInt32LE(header.length, 16);
  writeDay(out, header.day, 20);
  writeNumber(out, header.committed_ms, 24);
  TABLES.forEach((table, n) => {
    writeNumber(out, before[table], 32 + 8 * n);
    out.writeUInt32LE(size[table], 88 + 4 * n);
  });
  writeNumber(out, before.bytes, 80);
  writeSrc(out, header.src, 112);
  out.writeUInt32LE(header.payload_crc, 128);
  out.writeUInt32LE(crc32(out.subarray(0, 132)), 132);
  return out;
}

/** The header at `at`, or undefined where no whole and undamaged one is. */
export function decodeHeader(bytes: Buffer, at: number): Header | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC_WORD) return undefined;
  if (crc32(bytes.subarray(at, at + 132)) !== bytes.readUInt32LE(at + 132)) return undefined;
  const kind = KINDS[bytes[at + 4]!];
  if (kind === undefined || bytes[at + 5] !== VERSION) return undefined;
  const length = bytes.readUInt32LE(at + 16);
  return {
    kind,
    seq: readNumber(bytes, at + 8),
    group: bytes.readUInt16LE(at + 6),
    length,
    day: readDay(bytes, at + 20),
    committed_ms: readNumber(bytes, at + 24),
    before: {
      ...rowsBy((_, n) => readNumber(bytes, at + 32 + 8 * n)),
      bytes: readNumber(bytes, at + 80),
    },
    size: {
      ...rowsBy((_, n) => bytes.readUInt32LE(at + 88 + 4 * n)),
      bytes: HEADER_BYTES + length,
    },
    src: readSrc(bytes, at + 112),
    payload_crc: bytes.readUInt32LE(at + 128),
  };
}

/** Up to 2^53: JavaScript counts no further. */
export function writeNumber(out: Buffer, value: number, at: number): void {
  out.writeUInt32LE(value % 2 ** 32, at);
  out.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

export function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** `YYYY-MM-DD` as the number yyyymmdd: 4 bytes. */
export function writeDay(out: Buffer, day: string, at: number): void {
  out.writeUInt32LE(Number(day.replaceAll('-', '')), at);
}

export function readDay(bytes: Buffer, at: number): string {
  const day = String(bytes.readUInt32LE(at)).padStart(8, '0');
  return `${day.slice(0, -4)}-${day.slice(-4, -2)}-${day.slice(-2)}`;
}

/** Spool and epoch. */
export const SRC_BYTES = 14;

export function writeSrc(out: Buffer, src: string, at: number): void {
  out.write(src.slice(0, 16), at, 'hex');
  out.write(src.slice(17), at + 8, 'hex');
}

export function readSrc(bytes: Buffer, at: number): string {
  return `${bytes.toString('hex', at, at + 8)}-${bytes.toString('hex', at + 8, at + SRC_BYTES)}`;
}

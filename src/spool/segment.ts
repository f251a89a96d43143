import { checksum, encodeHeader, HEADER_BYTES, type Header, type Kind } from './format.ts';
import type { SpoolFile, SpoolFs } from './files.ts';
import { SegmentIndex } from './index-table.ts';
import { NO_ROWS, rowsBy, type Mark, type TableRows } from './mark.ts';
import { spoolPath } from './names.ts';
import type { Snapshot } from './sources.ts';

/** A file of the spool. */
export interface Segment {
  readonly number: number;
  readonly path: string;
  /** Numbers of its first and last batch; `last` is below `first` while there is none. */
  first: number;
  last: number;
  /** Bytes that are committed. */
  end: number;
}

/** What all records of a process have in common. */
export interface Stamp {
  readonly src: string;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** The UTC day of a moment, `YYYY-MM-DD`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** A record of any kind in pieces, its header first. */
export function encodeRecord(
  kind: Kind,
  seq: number,
  before: Mark,
  rows: TableRows,
  payload: readonly Uint8Array[],
  stamp: Stamp,
  group = 0,
): { header: Header; pieces: Uint8Array[] } {
  const now = stamp.now();
  let length = 0;
  for (const piece of payload) length += piece.length;
  const header: Header = {
    kind,
    seq,
    group,
    length,
    day: dayOf(now),
    committed_ms: now,
    before,
    size: { ...rowsBy((table) => rows[table]), bytes: HEADER_BYTES + length },
    src: stamp.src,
    payload_crc: checksum(payload),
  };
  return { header, pieces: [encodeHeader(header), ...payload] };
}

/**
 * Writes one segment: its snapshot, then records, at last its seal. Nothing is committed before `sync` has resolved; after any failure but a full disk
 * the segment is given up, since a second sync may report pages as written that are not.
 */
export class SegmentWriter {
  readonly segment: Segment;
  readonly #file: SpoolFile;
  readonly #index = new SegmentIndex();
  /** Where the next record is written: at or behind the committed end. */
  #at = 0;
  /** Records that are written and not committed yet. */
  #written: { header: Header; at: number }[] = [];

  private constructor(segment: Segment, file: SpoolFile) {
    this.segment = segment;
    this.#file = file;
  }

  /** A new segment, on the disk with its snapshot. `seq` is the number of the record before its first. */
  static async create(
    fs: SpoolFs,
    directory: string,
    number: number,
    seq: number,
    before: Mark,
    snapshot: Snapshot,
    stamp: Stamp,
  ): Promise<SegmentWriter> {
    const path = spoolPath(directory, number, 'seg');
    const file = await fs.open(path, 'create');
    const writer = new SegmentWriter({ number, path, first: seq + 1, last: seq, end: 0 }, file);
    try {
      const payload = Buffer.from(JSON.stringify(snapshot));
      const { header, pieces } = encodeRecord('snapshot', seq, before, NO_ROWS, [payload], stamp);
      await writer.write([{ header, pieces }]);
      await writer.sync();
      await fs.syncDirectory(directory);
      return writer;
    } catch (error) {
      await file.close().catch(() => {});
      await fs.unlink(path).catch(() => {});
      throw error;
    }
  }

  /** Appends records behind what is written. Throws the file system's error; then nothing of them counts. */
  async write(records: readonly { readonly header: Header; readonly pieces: readonly Uint8Array[] }[]): Promise<void> {
    let rest = packed(records.flatMap(({ pieces }) => pieces));
    let at = this.#at;
    while (rest.length > 0) {
      const count = await this.#file.write(rest, at);
      at += count;
      rest = behind(rest, count);
      if (count === 0 && rest.length > 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
    }
    for (const { header } of records) {
      this.#written.push({ header, at: this.#at });
      this.#at += header.size.bytes;
    }
  }

  /** Commits what was written. */
  async sync(flush = true): Promise<void> {
    if (flush) await this.#file.datasync();
    for (const { header, at } of this.#written) {
      if (header.kind !== 'batch') continue;
      this.#index.add(header, at);
      this.segment.last = header.seq;
    }
    this.#written = [];
    this.segment.end = this.#at;
  }

  /** Takes back what was not committed: half a record must not stand where the next one will. */
  async rollBack(): Promise<void> {
    this.#written = [];
    this.#at = this.segment.end;
    await this.#file.truncate(this.segment.end);
  }

  /** Where the record with that number begins, or one shortly before it. */
  offsetOf(seq: number): number {
    return this.#index.offsetOf(seq);
  }

  /** Ends the segment with its index and with where everything stands. */
  async seal(before: Mark, snapshot: Snapshot, stamp: Stamp, flush: boolean): Promise<void> {
    const { header, pieces } = sealRecord(this.segment.last, before, snapshot, this.#index, stamp);
    await this.write([{ header, pieces }]);
    await this.sync(flush);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The last record of a segment. Its last 8 bytes are its own length and a mark, so that it is found from the end of the file. */
export function sealRecord(
  seq: number,
  before: Mark,
  snapshot: Snapshot,
  index: SegmentIndex,
  stamp: Stamp,
): { header: Header; pieces: Uint8Array[] } {
  const json = Buffer.from(JSON.stringify(snapshot));
  const table = index.bytes();
  const foot = Buffer.alloc(SEAL_FOOT_BYTES);
  foot.writeUInt32LE(json.length, 0);
  foot.writeUInt32LE(HEADER_BYTES + json.length + table.length + foot.length, 4);
  foot.writeUInt32LE(SEAL_MARK, 8);
  return encodeRecord('seal', seq, before, NO_ROWS, [json, table, foot], stamp);
}

export const SEAL_MARK = 0x4c41_4553;
export const SEAL_FOOT_BYTES = 12;

/** Larger pieces are written from where they lie. */
const SMALL_BYTES = 1 << 14;
const PACK_BYTES = 1 << 18;

/** Small pieces next to each other as one: a group may be thousands of records, and a call for each costs ten times what copying them does. */
function packed(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const out: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  let bytes = 0;
  const pack = (): void => {
    if (small.length > 0) out.push(small.length === 1 ? small[0]! : Buffer.concat(small, bytes));
    small = [];
    bytes = 0;
  };
  for (const piece of pieces) {
    if (piece.length > SMALL_BYTES || bytes + piece.length > PACK_BYTES) pack();
    if (piece.length > SMALL_BYTES) {
      out.push(piece);
    } else {
      small.push(piece);
      bytes += piece.length;
    }
  }
  pack();
  return out;
}

/** What is left of the pieces behind their first `count` bytes. */
function behind(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (let n = 0; n < pieces.length; n++) {
    const piece = pieces[n]!;
    if (left < piece.length) return [piece.subarray(left), ...pieces.slice(n + 1)];
    left -= piece.length;
  }
  return [];
}

import { checksum, decodeHeader, HEADER_BYTES, type Header } from './format.ts';
import type { SpoolFile } from './files.ts';
import { entriesOf, type IndexEntry } from './index-table.ts';
import { SEAL_FOOT_BYTES, SEAL_MARK } from './segment.ts';
import type { Snapshot } from './sources.ts';

/** The end of a segment that was closed in order. */
export interface Seal {
  readonly header: Header;
  readonly snapshot: Snapshot;
  /** The index as bytes, and what it says: a segment may have a hundred thousand records. */
  readonly index: Buffer;
  readonly entries: readonly IndexEntry[];
  /** Size of the file. */
  readonly end: number;
}

/** The seal of a segment; undefined where it has none, or not an undamaged one. */
export async function readSeal(file: SpoolFile): Promise<Seal | undefined> {
  const end = await file.size();
  if (end < HEADER_BYTES + SEAL_FOOT_BYTES) return undefined;
  const foot = Buffer.alloc(SEAL_FOOT_BYTES);
  await file.read(foot, 0, foot.length, end - foot.length);
  const length = foot.readUInt32LE(4);
  if (foot.readUInt32LE(8) !== SEAL_MARK || length > end || length < HEADER_BYTES + SEAL_FOOT_BYTES) return undefined;
  const bytes = Buffer.alloc(length);
  await file.read(bytes, 0, length, end - length);
  const header = decodeHeader(bytes, 0);
  const payload = bytes.subarray(HEADER_BYTES);
  if (header?.kind !== 'seal' || header.length !== payload.length) return undefined;
  if (checksum([payload]) !== header.payload_crc) return undefined;
  const json = foot.readUInt32LE(0);
  const index = payload.subarray(json, payload.length - SEAL_FOOT_BYTES);
  const snapshot = JSON.parse(payload.toString('utf8', 0, json)) as Snapshot;
  return {
    header,
    snapshot,
    index,
    get entries() {
      return [...entriesOf(index)];
    },
    end,
  };
}

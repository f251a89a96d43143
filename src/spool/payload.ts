import type { Batch, Rows, Table } from '../batch.ts';
import type { Said } from './sources.ts';
import { StoredRows } from './stored-rows.ts';

/*
 * The payload of a batch: the length of its JSON (4 bytes), the JSON, and for each table what the JSON says: the ends of its rows, from a multiple of 4
 * on, and the rows. So the array can be used where it lies, and nothing is parsed but the little JSON.
 *
 * Labels and durations are not written: they are in the rows, and only a lane that observes them again after a restart reads them there. In a batch of many
 * executions they would be a fifth of its bytes.
 *
 * A payload never holds the bytes that a record begins with, so that nobody can write a record into a log line, to be found where the record around it is
 * damaged: text cannot hold them, and no end is as large.
 */

interface Meta extends Said {
  readonly lines: number;
  readonly tables: readonly { readonly table: Table; readonly rows: number; readonly bytes: number }[];
}

const PADDING = new Uint8Array(4);

/** The payload in pieces: views of the batch's own memory, in order. */
export function encodePayload(batch: Batch): Uint8Array[] {
  const { source, position, request, ended, state, lines } = batch;
  const tables = batch.rows.map(({ table, ends, bytes }) => ({ table, rows: ends.length, bytes: bytes.length }));
  const meta: Meta = { source, position, request, ended, state, lines, tables };
  const json = Buffer.from(JSON.stringify(meta));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(json.length);
  const pieces: Uint8Array[] = [head, json];
  let length = 4 + json.length;
  for (const { ends, bytes } of batch.rows) {
    const gap = -length & 3;
    if (gap > 0) pieces.push(PADDING.subarray(0, gap));
    pieces.push(new Uint8Array(ends.buffer, ends.byteOffset, ends.byteLength), bytes);
    length += gap + ends.byteLength + bytes.length;
  }
  return pieces;
}

/** The batch of a payload whose checksum was right. Its rows are views of the payload's memory, which must begin at a multiple of 4. */
export function decodePayload(payload: Buffer): Batch {
  const { tables, ...said } = metaOf(payload);
  const memory = payload.buffer as ArrayBuffer;
  let at = 4 + payload.readUInt32LE(0);
  const rows = tables.map(({ table, rows: count, bytes }): Rows => {
    at += -at & 3;
    const start = payload.byteOffset + at;
    at += count * 4 + bytes;
    return new StoredRows(table, Buffer.from(memory, start + count * 4, bytes), new Uint32Array(memory, start, count));
  });
  return { ...said, rows };
}

/** All but the rows. */
export function metaOf(payload: Buffer): Meta {
  return JSON.parse(payload.toString('utf8', 4, 4 + payload.readUInt32LE(0))) as Meta;
}

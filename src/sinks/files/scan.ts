import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Table } from '../../batch.ts';
import { rowsByIdentity } from '../identity.ts';
import type { Part, StoredRange, StoredRecord } from '../sink.ts';
import { filesOf } from './directory.ts';

/** A row's identity, as it stands at its beginning. */
type Visit = (seq: number, i: number) => void;

const CHUNK_BYTES = 1 << 20;
/** `{"_day":"2026-11-21","_src":"..","_seq":..,"_i":..,` takes 120 bytes at most. */
const LEAD_BYTES = 160;
const LEAD = /^\{"_day":"[\d-]{10}","_src":"([^"\\]{1,64})","_seq":(\d{1,16}),"_i":(\d{1,10}),/;
const NEWLINE = 0x0a;

/**
 * Tells `visit` of every whole row of `src` in the table's files. All of them are read: a replay
 * puts rows of old records into new files.
 *
 * What is found is on the disk when it resolves: a process that was killed may not have come to that. Reads 1 MiB at a time.
 */
async function scan(directory: string, table: Table, src: string, visit: Visit): Promise<void> {
  for (const { path } of await filesOf(directory, table)) {
    let found = false;
    const file = await open(path, constants.O_RDONLY);
    try {
      for await (const lead of leads(file)) {
        const match = LEAD.exec(lead);
        if (match === null) continue;
        const seq = Number(match[2]);
        if (match[1] === src) {
          visit(seq, Number(match[3]));
          found = true;
        }
      }
      if (found) await file.datasync();
    } finally {
      await file.close();
    }
  }
}

/** The beginnings of the lines of a file, less one that has no end. */
async function* leads(file: FileHandle): AsyncGenerator<string> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  // Of a line that began in an earlier chunk.
  let lead = '';
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    const bytes = chunk.subarray(0, bytesRead);
    for (let start = 0; start < bytesRead;) {
      const end = bytes.indexOf(NEWLINE, start);
      const stop = end === -1 ? bytesRead : end;
      lead += bytes.toString('latin1', start, Math.min(stop, start + LEAD_BYTES - lead.length));
      if (end === -1) break;
      yield lead;
      lead = '';
      start = end + 1;
    }
  }
}

/** How often each row of the part stands in the files. */
export async function copiesOf(directory: string, part: Part): Promise<Uint8Array> {
  const copies = new Uint8Array(part.count);
  const rowAt = rowsByIdentity(part);
  const { src } = part.slices[0]!.record;
  await scan(directory, part.table, src, (seq, i) => {
    const row = rowAt(seq, i);
    if (row !== undefined && copies[row]! < 255) copies[row]! += 1;
  });
  return copies;
}

/** How the records of a range stand in the files, by `_seq`. */
export async function recordsOf(directory: string, range: StoredRange): Promise<Map<number, StoredRecord>> {
  const { table, src, from, to } = range;
  const seen = new Map<number, { rows: number; numbers: Set<number> }>();
  await scan(directory, table, src, (seq, i) => {
    if (seq < from || seq > to) return;
    const record = seen.get(seq) ?? { rows: 0, numbers: new Set() };
    seen.set(seq, record);
    record.rows += 1;
    record.numbers.add(i);
  });
  return new Map([...seen].map(([seq, { rows, numbers }]) => [seq, { rows, distinct: numbers.size }]));
}

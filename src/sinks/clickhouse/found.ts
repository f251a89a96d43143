import { rowsByIdentity } from '../identity.ts';
import type { Found, Part, StoredRange, StoredRecord } from '../sink.ts';
import { qualified } from './ddl.ts';
import { countLines, literal, type Asking } from './questions.ts';
import type { Settings } from './settings.ts';

/** What is asked about: the tables of one server, or of the replicas of one. */
export interface Place {
  readonly database: string;
  readonly asking: Settings;
  readonly ask: Asking;
}

/** How often each row of the part is stored. Nothing of the part's spool may be running any more. */
export async function copiesOf(part: Part, place: Place): Promise<Uint8Array> {
  const { database, asking, ask } = place;
  const rowAt = rowsByIdentity(part);
  const { src } = part.slices[0]!.record;
  const [first, last] = [part.slices[0]!, part.slices.at(-1)!];
  const [from, to] = [first.record.seq, last.record.seq];
  // A part is consecutive rows of its table, also after a split; half of one may begin and end within a record.
  const query =
    `SELECT _seq, _i, count() FROM ${qualified({ database }, part.table)} ` +
    `WHERE _day = ${literal(part.day)} AND _src = ${literal(src)} AND _seq BETWEEN ${from} AND ${to} ` +
    `AND (_seq, _i) >= (${from}, ${first.base + first.from}) AND (_seq, _i) < (${to}, ${last.base + last.to}) ` +
    `GROUP BY _seq, _i`;
  const copies = new Uint8Array(part.count);
  for (const [seq, i, count] of await countLines(ask, query, asking, part.count)) {
    const row = rowAt(seq, i);
    if (row !== undefined) copies[row] = Math.min(count, 255);
  }
  return copies;
}

/**
 * True when the table is replicated: the replica that answers may not have fetched yet what another one took. Asked each time, which is rarely: a
 * table can be made anew, and what was asked for as a MergeTree is a SharedMergeTree in ClickHouse Cloud.
 */
export async function lagsBehind(table: string, { database, asking, ask }: Place): Promise<Found['lags']> {
  const where = `database = ${literal(database)} AND name = ${literal(table)}`;
  const query = `SELECT engine FROM system.tables WHERE ${where} FORMAT TSV`;
  return /^(?:Replicated|Shared)/.test((await ask({ query, settings: asking })).text);
}

/** Records asked about at once: an answer is then 600 KB at most. */
const PAGE = 10_000;

/** How the records of a range are stored, by `_seq`. */
export async function recordsOf(range: StoredRange, place: Place): Promise<Map<number, StoredRecord>> {
  const { database, asking, ask } = place;
  const found = new Map<number, StoredRecord>();
  for (let from = range.from; from <= range.to; from += PAGE) {
    const to = Math.min(from + PAGE - 1, range.to);
    const query =
      `SELECT _seq, uniqExact(_i), count() FROM ${qualified({ database }, range.table)} ` +
      `WHERE _day = ${literal(range.day)} AND _src = ${literal(range.src)} AND _seq BETWEEN ${from} AND ${to} ` +
      `GROUP BY _seq`;
    for (const [seq, distinct, rows] of await countLines(ask, query, asking, PAGE)) found.set(seq, { rows, distinct });
  }
  return found;
}

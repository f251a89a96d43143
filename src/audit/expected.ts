import type { Letter } from '../dead-letters/letters.ts';
import type { Replayed } from '../dead-letters/replayed.ts';
import type { LaneCursor } from '../delivery/cursor.ts';
import { EVENT_TABLES, type EventTable } from '../fields.ts';
import { readRowId } from '../row-id.ts';
import type { Sink } from '../sinks/sink.ts';
import type { IndexEntry } from '../spool/index-table.ts';

/** What a sink should have of one record in one table. */
export interface Expected {
  readonly table: EventTable;
  readonly day: string;
  readonly src: string;
  readonly seq: number;
  rows: number;
}

/** What the ledger says of one sink. */
export interface Plan {
  /** By table, day and epoch: records in order. */
  readonly runs: readonly {
    readonly table: EventTable;
    readonly day: string;
    readonly src: string;
    readonly records: Expected[];
  }[];
  /** Numbers of the records that the ledger knows to the row. */
  readonly known: ReadonlySet<number>;
  /** Numbers between the first and the last settled record of which no index is left. */
  readonly forgotten: number;
  /** Records that were given up for want of room: nothing is known of them. */
  readonly dropped: number;
  /** Records of days that the sink no longer keeps. */
  readonly outside: number;
  /** Rows of tables in which a newer row takes the place of an older one: how many of a record are there says nothing. */
  readonly replaceable: number;
}

/**
 * What a sink should have: the rows of every record that its lane has settled, less those it refused, and with those that a replay has stored since.
 * Records before `first_day` are left out: the sink's retention has removed them. So are rows of the tables that it `replaces`.
 */
export function expectations(
  { name: sink, tables, replaces }: Pick<Sink, 'name' | 'tables' | 'replaces'>,
  cursor: LaneCursor,
  entries: Iterable<IndexEntry>,
  letters: readonly Letter[],
  replayed: readonly Replayed[],
  first_day: string,
): Plan {
  const changes = changesOf(sink, letters, replayed);
  const gaps = letters.filter((letter) => letter.sink === sink && letter.reason === 'dropped');
  const runs = new Map<string, { table: EventTable; day: string; src: string; records: Expected[] }>();
  let dropped = 0;
  let outside = 0;
  let replaceable = 0;
  const seen = new Set<number>();
  const known = new Set<number>();
  for (const entry of entries) {
    const { seq, day, src } = entry;
    if (seq < cursor.since || seq > cursor.settled || seen.has(seq)) continue;
    seen.add(seq);
    if (gaps.some(({ first_record = 0, last_record = 0 }) => seq >= first_record && seq <= last_record)) {
      dropped += 1;
      continue;
    }
    if (day < first_day) {
      outside += 1;
      continue;
    }
    known.add(seq);
    for (const table of EVENT_TABLES) {
      const rows = entry[table] + (changes.get(`${table} ${src} ${seq}`) ?? 0);
      if (!tables.has(table) || (rows === 0 && entry[table] === 0)) continue;
      if (replaces?.has(table) === true) {
        replaceable += rows;
        continue;
      }
      const key = `${table} ${day} ${src}`;
      const run = runs.get(key) ?? { table, day, src, records: [] };
      run.records.push({ table, day, src, seq, rows });
      runs.set(key, run);
    }
  }
  const forgotten = Math.max(0, cursor.settled - cursor.since + 1 - seen.size);
  return { runs: [...runs.values()], known, forgotten, dropped, outside, replaceable };
}

/** By table and record: rows that became dead letters, and rows that came back from them. */
function changesOf(sink: string, letters: readonly Letter[], replayed: readonly Replayed[]): Map<string, number> {
  const changes = new Map<string, number>();
  const change = (key: string, by: number): void => void changes.set(key, (changes.get(key) ?? 0) + by);
  for (const { sink: of, row, table } of letters) {
    const id = readRowId(row ?? '');
    if (of === sink && id !== undefined) change(`${table} ${id.src} ${id.seq}`, -1);
  }
  for (const { sink: into, table, src, seq } of replayed) if (into === sink) change(`${table} ${src} ${seq}`, 1);
  return changes;
}

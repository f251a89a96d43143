import { TS_END, TS_START } from '../../batch.ts';
import { KEYED_TABLES } from '../../fields.ts';
import { NUMBER, TIME, writeRows, type Body } from '../identity.ts';
import type { Part, Slice } from '../sink.ts';
import { encodeKeyed, keyedLead, keyOf } from './keyed.ts';
import { withoutIndex } from './unindexed.ts';

/** What is wanted of a bulk answer: status, id and error type by row. Never the reason: it quotes values. */
const ANSWER_PATHS = [
  'took',
  'errors',
  'items.*.status',
  'items.*._id',
  'items.*.error.type',
  'items.*.error.caused_by.type',
  'items.*.failure_store',
];

export function bulkPath(index: string): string {
  return `/${encodeURIComponent(index)}/_bulk?filter_path=${ANSWER_PATHS.join(',')}`;
}

/**
 * `create` and an id made of the row's place: a row that is sent again is answered with 409, however often and by whomever it is sent.
 * The same place as fields, so that it can be searched and counted.
 */
function bulkLead(src: string, seq: number): string {
  const action = `{"create":{"_id":"${src}-${seq}-${NUMBER}"}}`;
  return `${action}\n{"@timestamp":"${TIME}","_src":"${src}","_seq":${seq},"_i":${NUMBER},`;
}

/** Writes rows of a part from row `first` on, up to `max_bytes` but at least one; returns the row after the last one. */
export function encodeBulk(part: Part, body: Body, first: number, max_bytes: number): number {
  body.length = 0;
  if (KEYED_TABLES.has(part.table)) return encodeKeyed(part, body, first, max_bytes);
  return writeRows(part, body, bulkLead, first, max_bytes);
}

/** One row that was sent: its number in the part, its `_id`, and where its bytes are. */
export interface SentRow {
  readonly row: number;
  readonly id: string;
  readonly slice: Slice;
  readonly at: number;
}

/** The rows that `encodeBulk` wrote between `first` and `end`, in their order. Called only when an answer has to be read by row. */
export function sentRows(part: Part, first: number, end: number): SentRow[] {
  const sent: SentRow[] = [];
  let number = 0;
  for (const slice of part.slices) {
    for (let at = slice.from; at < slice.to; at++, number++) {
      if (number < first || number >= end || part.settled?.[number] === 1) continue;
      const { src, seq } = slice.record;
      const id = KEYED_TABLES.has(part.table) ? keyOf(slice, at).key : `${src}-${seq}-${slice.base + at}`;
      sent.push({ row: number, id, slice, at });
    }
  }
  return sent;
}

/** The same row under the same id with its objects not indexed, as bytes; undefined when that makes no other row of it. */
export function encodeUnindexed({ slice, at }: SentRow): Buffer | undefined {
  const { bytes, ends } = slice.rows;
  const row = bytes.toString('latin1', at === 0 ? 0 : ends[at - 1], ends[at]);
  const other = withoutIndex(row);
  if (other === undefined) return undefined;
  const lead = KEYED_TABLES.has(slice.rows.table) ? keyedLead(slice, at) : leadOf(slice, at, row);
  return Buffer.from(lead + other.slice(1), 'latin1');
}

function leadOf({ record, base }: Slice, at: number, row: string): string {
  return bulkLead(record.src, record.seq)
    .replaceAll(NUMBER, String(base + at))
    .replace(TIME, row.slice(TS_START, TS_END));
}

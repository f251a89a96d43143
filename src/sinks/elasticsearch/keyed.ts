import type { Body } from '../identity.ts';
import { SinkError, type Part, type Slice } from '../sink.ts';

/*
 * Rows of which the newest of a key counts. The cluster keeps it: a document under the key, written with a version from outside, is refused with 409 where the same or a newer
 * one is there, which is as good as stored. That holds within one index, so that all versions of a key go to one: the index of the day that the row names, whatever day it is by now.
 */

/** How a row begins: nothing behind that is read. */
const HEAD =
  /^\{"ts":"([\dT:.Z-]{27})","task_key":"([0-9a-f]{32})","version":(\d{1,16}),"revision":\d{1,5}(?:,"task_day":"(\d{4}-\d\d-\d\d)")?[,}]/;
const HEAD_BYTES = 200;

interface Key {
  readonly ts: string;
  readonly key: string;
  readonly version: string;
  /** `YYYY-MM-DD`; that of the record where the row names none. */
  readonly day: string;
}

/** What the row at `at` is known by. A row without it is split off, and becomes a dead letter. */
export function keyOf({ rows, record }: Slice, at: number): Key {
  const start = at === 0 ? 0 : rows.ends[at - 1]!;
  const head = rows.bytes.latin1Slice(start, Math.min(rows.ends[at]!, start + HEAD_BYTES));
  const [, ts = '', key = '', version = '', day = record.day] = HEAD.exec(head) ?? [];
  if (key === '') throw new SinkError('split', 'NO_KEY', 'a row does not begin with its task_key and version');
  return { ts, key, version, day };
}

/** In front of a row's own keys. */
export function keyedLead(slice: Slice, at: number): string {
  const { ts, key, version } = keyOf(slice, at);
  const { src, seq } = slice.record;
  const action = `{"index":{"_id":"${key}","version":${version},"version_type":"external"}}`;
  return `${action}\n{"@timestamp":"${ts}","_src":"${src}","_seq":${seq},"_i":${slice.base + at},`;
}

/** Writes rows of a part from row `first` on, up to `max_bytes` but at least one; returns the row after the last one. */
export function encodeKeyed(part: Part, body: Body, first: number, max_bytes: number): number {
  let number = 0;
  for (const slice of part.slices) {
    const { bytes, ends } = slice.rows;
    for (let at = slice.from; at < slice.to; at++, number++) {
      if (number < first || part.settled?.[number] === 1) continue;
      const lead = keyedLead(slice, at);
      const own = at === 0 ? 1 : ends[at - 1]! + 1;
      const size = lead.length + ends[at]! - own;
      if (body.length > 0 && body.length + size > max_bytes) return number;
      body.reserve(size);
      body.ascii(lead);
      body.length += bytes.copy(body.bytes, body.length, own, ends[at]);
    }
  }
  return number;
}

/** The part once for each day that its rows name, with the rows of other days settled. */
export function byDay(part: Part): Map<string, Part> {
  const days = part.slices.flatMap((slice) =>
    Array.from({ length: slice.to - slice.from }, (_, n) => keyOf(slice, slice.from + n).day),
  );
  const parts = new Map<string, Part>();
  for (const day of new Set(days)) {
    const settled = Uint8Array.from(days, (of, row) => (of !== day || part.settled?.[row] === 1 ? 1 : 0));
    parts.set(day, { ...part, settled });
  }
  return parts;
}

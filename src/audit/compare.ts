import type { Auditable } from '../sinks/sink.ts';
import type { Expected, Plan } from './expected.ts';

/** A record of which a sink has not what it should. */
export interface Difference extends Expected {
  /** Rows that the sink has, and how many different ones. */
  readonly stored: number;
  readonly distinct: number;
}

export interface Comparison {
  readonly records: number;
  readonly rows: number;
  /** At most MOST_DIFFERENCES; how many there are is `differing`. */
  readonly differences: readonly Difference[];
  readonly differing: number;
  readonly missing: number;
  readonly duplicates: number;
}

const MOST_DIFFERENCES = 1_000;
/** Records asked about at once. */
const PAGE = 1_000;

/** Asks the sink about every record of the plan, one by one: in totals a loss and a duplicate would cancel each other. */
export async function compare(sink: Auditable, plan: Plan, signal: AbortSignal): Promise<Comparison> {
  const result = { records: 0, rows: 0, differing: 0, missing: 0, duplicates: 0, differences: [] as Difference[] };
  const differ = (difference: Difference): void => {
    result.differing += 1;
    result.missing += Math.max(0, difference.rows - difference.distinct);
    result.duplicates += difference.stored - Math.min(difference.distinct, difference.rows);
    if (result.differences.length < MOST_DIFFERENCES) result.differences.push(difference);
  };
  for (const { table, day, src, records } of plan.runs) {
    for (let first = 0; first < records.length; first += PAGE) {
      const page = records.slice(first, first + PAGE);
      const found = await sink.stored({ table, day, src, from: page[0]!.seq, to: page.at(-1)!.seq }, signal);
      for (const record of page) {
        const { rows: stored, distinct } = found.get(record.seq) ?? { rows: 0, distinct: 0 };
        found.delete(record.seq);
        result.records += 1;
        result.rows += record.rows;
        if (stored !== record.rows || distinct !== record.rows) differ({ ...record, stored, distinct });
      }
      // Records that have no row in this table, as the ledger says.
      for (const [seq, { rows: stored, distinct }] of found) {
        if (stored > 0 && plan.known.has(seq)) differ({ table, day, src, seq, rows: 0, stored, distinct });
      }
    }
  }
  return result;
}

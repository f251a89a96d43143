import type { Batch, Rows, Table } from '../batch.ts';
import type { Noted } from '../decode.ts';
import type { Event, Rejection } from './event.ts';

/** What a line became. */
export type Made = { readonly event: Event } | { readonly rejection: Rejection };

/**
 * Puts the rows of a batch, which lie by table, back into the order in which their lines came. The decoder notes every row that is no step, with the number
 * of steps before it; steps themselves, most of all lines, cost nothing.
 */
export class Order {
  /** In pairs: table, and steps before it. */
  #noted: { readonly table: Table; readonly steps: number }[] = [];

  /** To be handed to the decoder. */
  readonly note: Noted = (table, steps) => {
    this.#noted.push({ table, steps });
  };

  /** The rows of the batch that was made since the last call, one by one: each is parsed when it is asked for. */
  made({ rows }: Batch): Generator<Made, void> {
    const noted = this.#noted;
    this.#noted = [];
    return merged(new Map(rows.map((each) => [each.table, { rows: each, next: 0 }])), noted);
  }
}

interface Cursor {
  readonly rows: Rows;
  next: number;
}

function* merged(
  cursors: ReadonlyMap<Table, Cursor>,
  noted: readonly { readonly table: Table; readonly steps: number }[],
): Generator<Made, void> {
  const steps = cursors.get('steps');
  for (const { table, steps: before } of noted) {
    while (steps !== undefined && steps.next < before) yield parsed(steps);
    yield parsed(cursors.get(table)!);
  }
  while (steps !== undefined && steps.next < steps.rows.ends.length) yield parsed(steps);
}

/** The next row of a table. */
function parsed(cursor: Cursor): Made {
  const { table, bytes, ends } = cursor.rows;
  const start = cursor.next === 0 ? 0 : ends[cursor.next - 1]!;
  const text = bytes.toString('utf8', start, ends[cursor.next]! - 1);
  cursor.next += 1;
  const row = JSON.parse(text) as Event & DeadLetterRow;
  return table === 'rejections' ? { rejection: rejectionOf(row) } : { event: row };
}

/** A rejection as the dead letters have it: `raw` as text where it is UTF-8. */
type DeadLetterRow = Omit<Rejection, 'raw'> & {
  readonly source: string;
  readonly raw?: string;
  readonly raw_base64?: string;
};

function rejectionOf({ source: _source, raw, raw_base64, ...rest }: DeadLetterRow): Rejection {
  return { ...rest, raw: raw === undefined ? Buffer.from(raw_base64 ?? '', 'base64') : Buffer.from(raw) };
}

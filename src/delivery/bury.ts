import type { Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { RowsBuilder } from '../rows.ts';
import type { Part, RowRejection, Sink } from '../sinks/sink.ts';
import { deadLetterRow } from './dead-letter.ts';
import { rowAt, rowId } from './part.ts';

/** The source under which a lane appends its dead letters. */
export function laneSource(lane: string): string {
  return `lane:${lane}`;
}

/** Dead letters of rows that a sink refused, as a batch for the spool. */
export function burial(part: Part, rejected: readonly RowRejection[], sink: Sink, clock: Clock): Batch {
  const builder = new RowsBuilder('rejections');
  for (const { row: number, code, detail } of rejected) {
    const { slice, row } = rowAt(part, number);
    const { bytes, ends } = slice.rows;
    const letter = deadLetterRow({
      at_us: clock.wall() * 1000,
      reason: 'sink',
      sink: sink.name,
      code,
      detail,
      table: part.table,
      row: rowId(part, number),
      row_day: part.day,
      source: slice.record.batch.source,
      raw: bytes.toString('latin1', row === 0 ? 0 : ends[row - 1], ends[row]! - 1),
    });
    builder.add(letter.row, letter.tuple, Number.NaN);
  }
  return batch(builder, sink);
}

/** One dead letter that says which records a full spool has cost a sink: their rows are gone. */
export function gap(from: number, to: number, rows: number, sink: Sink, clock: Clock): Batch {
  const builder = new RowsBuilder('rejections');
  const letter = deadLetterRow({
    at_us: clock.wall() * 1000,
    reason: 'dropped',
    sink: sink.name,
    detail: `${rows} rows of records ${from} to ${to} were given up, since the spool was full`,
    first_record: from,
    last_record: to,
    rows,
    raw: '',
  });
  builder.add(letter.row, letter.tuple, Number.NaN);
  return batch(builder, sink);
}

function batch(builder: RowsBuilder, sink: Sink): Batch {
  const rows = builder.take();
  return { source: laneSource(sink.name), position: {}, lines: 0, rows: rows === undefined ? [] : [rows] };
}

const ROW_ID = /"row":"([0-9a-f]{16}-[0-9a-f]{12}-\d+-\d+)"/;

/** The ids of the rows that the dead letters of a batch are of. */
export function buriedRows({ rows }: Batch): string[] {
  const ids: string[] = [];
  for (const { table, bytes, ends } of rows) {
    if (table !== 'rejections') continue;
    for (let n = 0; n < ends.length; n++) {
      const letter = bytes.toString('latin1', n === 0 ? 0 : ends[n - 1], ends[n]);
      const raw = letter.indexOf(',"raw');
      const id = ROW_ID.exec(raw === -1 ? letter : letter.slice(0, raw))?.[1];
      if (id !== undefined) ids.push(id);
    }
  }
  return ids;
}

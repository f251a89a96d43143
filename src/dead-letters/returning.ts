import type { Rows, Table } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { Decoder, type DecodeOptions } from '../decode.ts';
import { readRowId, type RowId } from '../row-id.ts';
import { RowsBuilder } from '../rows.ts';
import type { ByteSource } from '../sources/source.ts';
import { tupleOf } from '../tuples.ts';
import { letterId, rawOf, type Letter } from './letters.ts';

/** A row that comes back from a dead letter. */
export interface Returning extends RowId {
  readonly letter: string;
  readonly table: Table;
  readonly day: string;
  /** The one row. */
  readonly rows: Rows;
}

/** Events of one line are numbered apart by so much: no record has as many rows. */
const APART = 2 ** 24;

/** The row that a sink refused, as it was; undefined for another kind of letter. */
export function refusedRow(letter: Letter): Returning | undefined {
  const id = readRowId(letter.row ?? '');
  const { table, row_day: day } = letter;
  if (id === undefined || table === undefined || day === undefined) return undefined;
  const row = rawOf(letter).toString('latin1');
  return { letter: letterId(letter), table, day, ...id, rows: oneRow(table, row) };
}

/**
 * What a line that was no event becomes today: after an upgrade, or under other options. Its rows get the identity that its letter has. A reason instead, when it
 * still becomes none.
 */
export function readAgain(letter: Letter, options: DecodeOptions): Returning[] | string {
  if (letter.cut === true) return 'only its beginning was kept';
  const { namespace, pod, container } = letter;
  const known = Object.entries({ namespace, pod, container }).filter(([, value]) => value !== undefined);
  const constants = { ...options.constants, ...Object.fromEntries(known) };
  const decoder = new Decoder(sourceOf(letter), { ...options, constants }, clockAt(letter.ts));
  const raw = Buffer.concat([rawOf(letter), Buffer.from('\n')]);
  const batches = [decoder.feed({ bytes: raw, offset: letter.offset ?? 0 }).batch, decoder.flush('all').batch];
  const returning: Returning[] = [];
  for (const { rows } of batches) {
    for (const { table, bytes, ends } of rows) {
      for (let n = 0; n < ends.length; n++) {
        const row = bytes.toString('latin1', n === 0 ? 0 : ends[n - 1], ends[n]! - 1);
        if (table === 'rejections') {
          const { reason } = JSON.parse(row) as Letter;
          return reason === letter.reason ? `${reason}, as before` : `now it is ${reason}`;
        }
        const i = letter._i + returning.length * APART;
        const { _day: day, _src: src, _seq: seq } = letter;
        returning.push({ letter: letterId(letter), table, day, src, seq, i, rows: oneRow(table, row) });
      }
    }
  }
  return returning.length === 0 ? 'it is nothing that is stored' : returning;
}

/** A row as a byte string, on its own. It is not observed again, so its labels do not matter. */
function oneRow(table: Table, row: string): Rows {
  const builder = new RowsBuilder(table);
  builder.add(row, tupleOf({}), Number.NaN);
  return builder.take()!;
}

function sourceOf({ source = 'dead-letters' }: Letter): ByteSource {
  return {
    name: source,
    resumes: false,
    open() {
      throw new Error('a dead letter is not opened');
    },
    position: () => ({}),
  };
}

/** Lines without a time of their own get that of their rejection. */
function clockAt(ts: string): Clock {
  const at = Date.parse(ts);
  return { monotonic: () => 0, wall: () => at, sleep: async () => {} };
}

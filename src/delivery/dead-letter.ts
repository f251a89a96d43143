import { isUtf8 } from 'node:buffer';
import type { Tuple } from '../batch.ts';
import { encodeUtf8, quote } from '../bytes.ts';
import { formatTime } from '../time.ts';
import { tupleOf } from '../tuples.ts';

/** Why something was not stored, where it came from, and its bytes: masked where a privacy rule marks them, unless `keep_raw` says otherwise. */
export interface DeadLetter {
  /** Microseconds since 1970: when it was rejected. */
  readonly at_us: number;
  /** Short and of low cardinality: `schema`, `json_syntax`, `line_too_long`, `sink`. */
  readonly reason: string;
  /** For a person: what is wrong with it, without its values. */
  readonly detail: string;
  readonly dialect?: string | undefined;
  /** Of a row that a sink refused. */
  readonly sink?: string;
  readonly code?: string;
  readonly table?: string;
  /** `_id` of that row: `<src>-<seq>-<i>`. */
  readonly row?: string;
  /** `_day` of that row. */
  readonly row_day?: string;
  /** Of a line: its source, the offset of its first byte there, and how many physical lines it is. */
  readonly source?: string;
  readonly offset?: number;
  readonly lines?: number;
  readonly namespace?: string | undefined;
  readonly pod?: string | undefined;
  readonly container?: string | undefined;
  readonly stream?: string | undefined;
  /** Of rows that were given up together: their records, and how many they are. */
  readonly first_record?: number;
  readonly last_record?: number;
  readonly rows?: number;
  /** Byte string. */
  readonly raw: string;
  /** True when `raw` is only the beginning. */
  readonly cut?: boolean;
}

/** A dead letter as a row of table `rejections`: `raw` as text where it is UTF-8, else `raw_base64`. */
export function deadLetterRow(letter: DeadLetter): { row: string; tuple: Tuple } {
  let row = `{"ts":"${formatTime(letter.at_us)}"`;
  const { reason, detail, dialect, sink, code, table, source, offset, lines, namespace, pod, container, stream } =
    letter;
  const texts = {
    reason,
    code,
    detail,
    sink,
    table,
    row: letter.row,
    row_day: letter.row_day,
    dialect,
    source,
    namespace,
    pod,
    container,
    stream,
  };
  for (const [name, value] of Object.entries(texts)) if (value !== undefined) row += `,"${name}":${quote(value)}`;
  const { first_record, last_record, rows } = letter;
  const numbers = { offset, lines, first_record, last_record, rows };
  for (const [name, value] of Object.entries(numbers)) if (value !== undefined) row += `,"${name}":${value}`;
  if (letter.cut === true) row += ',"cut":true';
  const bytes = Buffer.from(letter.raw, 'latin1');
  row += isUtf8(bytes)
    ? `,"raw":${encodeUtf8(JSON.stringify(bytes.toString('utf8')))}`
    : `,"raw_base64":"${bytes.toString('base64')}"`;
  return { row: `${row}}`, tuple: tupleOf({ dialect: dialect ?? '', reason }) };
}

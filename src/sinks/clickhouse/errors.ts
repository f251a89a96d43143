import { FIELDS, IDENTITY } from '../../fields.ts';
import { certificateRefused, OutgoingError, tlsTrouble } from '../../outgoing/index.ts';
import { SinkError } from '../sink.ts';
import { meaningOfCode, meaningOfStatus, type Meaning } from './codes.ts';

/** An answer over HTTP, or what the embedded engine gives in its place. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The code of the SinkError when `path` is given and the package `chdb` cannot be loaded. */
export const EMBEDDED_UNAVAILABLE = 'embeddedUnavailable';

/*
 * ClickHouse quotes values of rows in the text of an error, in the middle of it. Its own words are at both ends:
 *
 *   Code: 27. DB::Exception: Cannot parse input: expected '"' before: '<the row>': (while reading the value of key x): (at row 2)
 *   : While executing ... (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 26.7.2.1 (official build))
 *
 * So the code is read at the very beginning and the name at the very end. The client's own parser takes the first word in brackets as
 * the name, which a row can choose; nothing of it is used but the number.
 */
const BEGIN = /^\s*(?:Code: (\d{1,5})\. |Code: (\d{1,5}), |Error: (\d{1,5}))/;
const VERSION = /\s*(?:\(version [^\n]{0,80}\))?\s*$/;
const NAME = /\(([A-Z][A-Z0-9_]{2,60})\)$/;
/** Only at the end, so that no row can say it. */
const VIEW = /: while pushing to view [`\w.-]{1,300}(?: \([0-9a-f-]{36}\))?\.? \([A-Z0-9_]+\)$/;
const COLUMN = /\(while reading the value of key (\w{1,40})\)/g;
const ROW = /\(at row (\d{1,7})\)/g;
/** The block in which ClickHouse 25.11 and later put an exception behind what was already sent. */
const EXCEPTION_BLOCK = /__exception__\s+\S{1,64}\s+/;

const COLUMNS = new Set([...FIELDS, ...IDENTITY].map((field) => field.name));
/** Enough of both ends of an error's text. */
const ENDS = 8_192;

/** What an answer that is not plainly good says; undefined when it is good. With `empty`, good is an empty body only. */
export function refusalOf(answer: Answer, where: string, empty: boolean): SinkError | undefined {
  const { status, headers, text } = answer;
  const ok = status >= 200 && status < 300;
  const header = headers['x-clickhouse-exception-code'];
  const block = EXCEPTION_BLOCK.exec(text);
  const words = block === null ? text : text.slice(block.index + block[0].length);
  const code =
    BEGIN.exec(words)
      ?.slice(1)
      .find((digits) => digits !== undefined) ?? header;
  // A good status and an error all the same: the answer had begun when it happened, so rows may be stored.
  if (typeof code === 'string' && /^\d+$/.test(code)) return serverError(Number(code), words, where, ok);
  if (ok && (!empty || text.trim() === '')) return undefined;
  const seconds = Number(headers['retry-after']);
  return sinkError(meaningOfStatus(status), `HTTP ${status}`, where, '', seconds > 0 ? seconds * 1000 : undefined);
}

/** The SinkError for anything that the client, or Node below it, may throw. */
export function classify(thrown: unknown, where: string): SinkError {
  if (thrown instanceof SinkError) return thrown;
  if (thrown instanceof OutgoingError) {
    const { failure, code, message } = thrown;
    return sinkError({ failure, in_doubt: false, advice: message }, code, where);
  }
  if (!(thrown instanceof Error)) return unknown('', where);
  const code = 'code' in thrown ? thrown.code : undefined;
  // The embedded engine's own text is the cause of what the client makes of it.
  const text = thrown.cause instanceof Error ? thrown.cause.message : thrown.message;
  if (typeof code === 'string' && /^\d+$/.test(code)) return serverError(Number(code), text, where, false);
  if (typeof code === 'string' && /^[A-Z0-9_]{3,60}$/.test(code)) return networkError(code, where);
  const begun = BEGIN.exec(text)?.[1];
  return begun === undefined ? unknown(thrown.name, where) : serverError(Number(begun), text, where, false);
}

function serverError(code: number, text: string, where: string, late: boolean): SinkError {
  const end = text.slice(-ENDS).replace(VERSION, '');
  const name = NAME.exec(end)?.[1];
  let meaning = meaningOfCode(code);
  if (code === 252 && /^\s*Code: 252\. DB::Exception: Too many partitions/.test(text)) {
    const advice = 'one insert has more days than a table takes at once: is the table PARTITION BY _day?';
    meaning = { failure: 'hold', in_doubt: false, advice };
  }
  if (VIEW.test(end)) {
    const advice = 'a materialized view on the table fails: mend or drop it; the rows may be stored already';
    meaning = { failure: 'hold', in_doubt: true, advice };
  }
  const column = [...end.matchAll(COLUMN)].at(-1)?.[1];
  const row = [...end.matchAll(ROW)].at(-1)?.[1];
  const place =
    (column !== undefined && COLUMNS.has(column) ? `, column ${column}` : '') +
    (row === undefined ? '' : `, row ${row}`);
  const detail = (name === undefined ? '' : ` (${name})`) + place;
  return sinkError(late ? { ...meaning, in_doubt: true } : meaning, String(code), where, detail);
}

/** Nothing can have been sent. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR']);

function networkError(code: string, where: string): SinkError {
  if (UNREACHABLE.has(code)) {
    const advice = 'the server cannot be reached: check `urls`, and whether it runs; tried again';
    return sinkError({ failure: 'retry', in_doubt: false, advice }, code, where);
  }
  if (BROKEN.has(code)) {
    return sinkError({ failure: 'retry', in_doubt: true, advice: 'the connection broke; tried again' }, code, where);
  }
  const trouble = tlsTrouble(code);
  if (trouble !== undefined) return sinkError({ failure: 'hold', ...trouble }, code, where);
  if (code === 'CHDB_CONNECTION') {
    const advice = 'the embedded engine does not open: is its directory writable, and not in use by another process?';
    return sinkError({ failure: 'hold', in_doubt: false, advice }, code, where);
  }
  const advice = 'steptap does not know this error: check `urls`, and what stands in front of the server';
  return sinkError({ failure: 'hold', in_doubt: true, advice }, code, where);
}

function unknown(name: string, where: string): SinkError {
  const advice = 'the client failed in a way that steptap does not know';
  const detail = /^[A-Za-z]{1,60}$/.test(name) ? ` (${name})` : '';
  return sinkError({ failure: 'hold', in_doubt: true, advice }, 'UNKNOWN', where, detail);
}

function sinkError(meaning: Meaning, code: string, where: string, detail = '', retry_after_ms?: number): SinkError {
  const { failure, in_doubt, advice } = meaning;
  const message = `ClickHouse at ${where}: ${code}${detail}: ${advice}`;
  return new SinkError(failure, code, message, { in_doubt, retry_after_ms });
}

/** The rows that a request carried may be stored: nobody waited for the answer. */
export function timedOut(where: string, timeout_ms: number): SinkError {
  const advice = `no answer within ${timeout_ms} ms; tried again`;
  return sinkError({ failure: 'retry', in_doubt: true, advice }, 'TIMEOUT', where);
}

export function tooLong(where: string): SinkError {
  const advice = 'the answer is longer than it can be: check `urls`, and what stands in front of the server';
  return sinkError({ failure: 'hold', in_doubt: true, advice }, 'ANSWER_TOO_LONG', where);
}

export function stopped(where: string): SinkError {
  return sinkError({ failure: 'retry', in_doubt: true, advice: 'steptap is stopping' }, 'ABORTED', where);
}

const NOT_LET_IN = new Set(['192', '193', '194', '516', 'HTTP 401', 'HTTP 403']);

/** True when nothing was done because of what logs in: a user, a password, a token or a certificate. */
export function refused(error: unknown): boolean {
  return error instanceof SinkError && (NOT_LET_IN.has(error.code) || certificateRefused(error.code));
}

/** True when it was not ClickHouse that answered: another address of it may do better. */
export function elsewhere(error: SinkError): boolean {
  return !/^\d+$/.test(error.code) && !['ABORTED', 'UNKNOWN', EMBEDDED_UNAVAILABLE].includes(error.code);
}

import { OVER } from '../../clock.ts';
import { errorCode } from '../../errors.ts';
import { EVENT_TABLES } from '../../fields.ts';
import { Body, columnIdentity, writeRows } from '../identity.ts';
import {
  SinkError,
  STORED,
  tablesOf,
  TOLD_TABLES,
  type Outcome,
  type Part,
  type Sink,
  type SinkContext,
} from '../sink.ts';
import type { Output } from './output.ts';

export { standardOutput } from './output.ts';
export { STDOUT_DEFAULTS, stdoutOptions, type StdoutOptions } from './schema.ts';

export const STDOUT = 'stdout';

/** What is written at once, in whole rows. */
const PIECE_BYTES = 1 << 18;

/** Of the part in hand: its bytes that are not written, and the row behind them. */
interface Rest {
  readonly token: string;
  bytes: Buffer;
  next: number;
}

/**
 * NDJSON for the next program in a pipe: rows as the files sink writes them, with `_src`, `_seq` and `_i` to know a row by that comes twice (after a kill with
 * a state that was named; else none does). In order within a table, and each record's tables one after the other.
 *
 * A slow reader holds the lane. When the reader is gone, `gone` aborts, and nothing is an error.
 */
export function createStdoutSink(
  out: Output,
  { name = STDOUT, tables }: Partial<Pick<SinkContext, 'name' | 'tables'>> = {},
): Sink & { readonly gone: AbortSignal } {
  const gone = new AbortController();
  const body = new Body(PIECE_BYTES + (PIECE_BYTES >> 2));
  /** What a failed write left: the next must not begin in the middle of a row. */
  let rest: Rest | undefined;

  async function write(from: Rest, signal: AbortSignal): Promise<void> {
    rest = from;
    while (from.bytes.length > 0) from.bytes = from.bytes.subarray(await out.write(from.bytes, signal));
    rest = undefined;
  }

  /** The part that was begun is not to be gone on with: only its row that was begun is. */
  async function endRow(begun: Rest, signal: AbortSignal): Promise<void> {
    await write({ ...begun, bytes: begun.bytes.subarray(0, begun.bytes.indexOf(10) + 1) }, signal);
  }

  async function send(part: Part, signal: AbortSignal): Promise<void> {
    let first = 0;
    if (rest?.token === part.token) {
      first = rest.next;
      await write(rest, signal);
    } else if (rest !== undefined) await endRow(rest, signal);
    while (first < part.count) {
      body.length = 0;
      first = writeRows(part, body, columnIdentity, first, PIECE_BYTES);
      await write({ token: part.token, bytes: body.view(), next: first }, signal);
    }
  }

  return {
    name,
    tables: tablesOf(EVENT_TABLES, tables ?? TOLD_TABLES),
    gone: gone.signal,
    describe: () => `standard output, ${out.name}`,
    async open() {},
    async send(part: Part, signal: AbortSignal): Promise<Outcome> {
      try {
        await send(part, signal);
        return STORED;
      } catch (error) {
        const code = errorCode(error) ?? 'UNKNOWN';
        if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_DESTROYED') gone.abort(OVER);
        throw failure(code, error);
      }
    },
    async close() {},
  };
}

/** A full disk empties again; anything else needs somebody to look. */
function failure(code: string, cause: unknown): SinkError {
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = 'no space left for standard output: free some, nothing is lost meanwhile';
    return new SinkError('retry', code, message, { cause });
  }
  return new SinkError('hold', code, `cannot write to standard output (${code})`, { cause });
}

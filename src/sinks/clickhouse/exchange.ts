import { Readable } from 'node:stream';
import type { createClient } from '@clickhouse/client';
import type { Clock } from '../../clock.ts';
import { classify, refusalOf, stopped, timedOut, tooLong, type Answer } from './errors.ts';

export type Client = ReturnType<typeof createClient>;

/** One statement. An INSERT brings its rows in `values`, and its answer has to be empty. */
export interface Ask {
  readonly query: string;
  readonly values?: Buffer;
  readonly settings?: Record<string, string | number>;
  readonly query_id?: string;
  /** What logs in. */
  readonly http_headers?: Record<string, string>;
  /** A longer answer is an error: more of it is not kept. By default 1 MiB. */
  readonly max_answer_bytes?: number;
}

const LONGEST_ANSWER = 1 << 20;

/**
 * Runs one statement and resolves with the whole body of a good answer; rejects with SinkErrors only, after `timeout_ms` at the latest.
 */
export async function exchange(
  client: Client,
  where: string,
  ask: Ask,
  signal: AbortSignal,
  timeout_ms: number,
  clock: Clock,
): Promise<string> {
  if (signal.aborted) throw stopped(where);
  const request = new AbortController();
  const done = new AbortController();
  let late = false;
  const stop = (): void => request.abort();
  signal.addEventListener('abort', stop, { once: true });
  void clock.sleep(timeout_ms, done.signal).then(() => {
    late = !done.signal.aborted;
    if (late) stop();
  });
  try {
    const { answer, cut } = await perform(client, ask, request.signal);
    const refusal = refusalOf(answer, where, ask.values !== undefined);
    if (refusal !== undefined) throw refusal;
    // What it says is not what it was going to say, and an exception may stand at its end.
    if (cut) throw tooLong(where);
    return answer.text;
  } catch (error) {
    if (late) throw timedOut(where, timeout_ms);
    if (signal.aborted) throw stopped(where);
    throw classify(error, where);
  } finally {
    done.abort();
    signal.removeEventListener('abort', stop);
  }
}

async function perform(client: Client, ask: Ask, abort_signal: AbortSignal): Promise<{ answer: Answer; cut: boolean }> {
  const result = await client.exec({
    query: ask.query,
    clickhouse_settings: ask.settings ?? {},
    abort_signal,
    // Else the client keeps neither the status nor the headers of an error, and only its text would be left to go by.
    ignore_error_response: true,
    ...(ask.http_headers === undefined ? {} : { http_headers: ask.http_headers }),
    ...(ask.query_id === undefined ? {} : { query_id: ask.query_id }),
    ...(ask.values === undefined ? {} : { values: Readable.from([ask.values], { objectMode: false }) }),
  });
  const longest = ask.max_answer_bytes ?? LONGEST_ANSWER;
  const stop = (): void => void result.stream.destroy();
  abort_signal.addEventListener('abort', stop, { once: true });
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    // Read to its end, whatever its length: a connection whose answer is not read cannot be used again.
    for await (const chunk of result.stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size - chunk.length < longest) chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    const answer = { status: result.http_status_code ?? 200, headers: result.response_headers, text };
    return { answer, cut: size > longest };
  } finally {
    abort_signal.removeEventListener('abort', stop);
  }
}

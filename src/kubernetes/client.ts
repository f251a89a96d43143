import * as http from 'node:http';
import * as https from 'node:https';
import { OVER, type Clock } from '../clock.ts';
import { version } from '../version.ts';
import { ApiError, apiErrorOf, refused, unreadable } from './api-error.ts';
import type { Credentials } from './credentials.ts';
import { linesOf, mappingOf, MOST_LINE, MOST_PAGE, wholeOf } from './lines.ts';

/** As roles name them. */
export type Verb = 'list' | 'watch' | 'get';

/** Silence of so long before an answer or in it ends it; for twice as long at most, as it is looked at only so often. */
const SILENCE_MS = 60_000;
const MOST_REFUSAL = 64 << 10;
const LONGEST_RETRY_AFTER_S = 300;

/** Called with the HTTP status of every request, or `error`. */
export type Counted = (verb: Verb, code: string) => void;

/**
 * Asks one Kubernetes API, over kept connections. Follows no redirect and uses no proxy. Everything rejects with an ApiError, and soon after the signal aborts;
 * a token that is not taken (401) is read again, and the request repeated when there is another.
 */
export class ApiClient {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #counted: Counted;
  readonly #agent: http.Agent;

  constructor(credentials: Credentials, clock: Clock, counted: Counted = () => {}) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#counted = counted;
    this.#agent = new (credentials.access.url.protocol === 'https:' ? https : http).Agent({ keepAlive: true });
  }

  /** For messages. */
  get name(): string {
    return `the Kubernetes API (${this.#credentials.access.url.origin})`;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** An answer that is one mapping. */
  async json(verb: Verb, path: string, signal: AbortSignal, silence_ms = SILENCE_MS): Promise<Record<string, unknown>> {
    return this.#named(async () => {
      const mapping = mappingOf(await wholeOf(await this.#answer(verb, path, signal, silence_ms), MOST_PAGE));
      if (mapping === undefined) throw unreadable('an answer that is no JSON');
      return mapping;
    });
  }

  /** An answer that comes line by line, as soon as it has begun. */
  async lines(verb: Verb, path: string, signal: AbortSignal, silence_ms: number): Promise<AsyncIterable<string>> {
    const lines = linesOf(await this.#named(() => this.#answer(verb, path, signal, silence_ms)), MOST_LINE);
    const next = (): Promise<IteratorResult<string>> => this.#named(() => lines.next());
    return { [Symbol.asyncIterator]: () => ({ next, return: () => lines.return(undefined) }) };
  }

  async #named<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const { code, message, status, retry_after_ms } = apiErrorOf(error);
      throw new ApiError(code, `${this.name} ${message}`, { status, retry_after_ms });
    }
  }

  async #answer(verb: Verb, path: string, signal: AbortSignal, silence_ms: number): Promise<AsyncIterable<Buffer>> {
    let answer = await this.#exchange(verb, path, signal, silence_ms);
    if (answer.statusCode === 401 && (await this.#credentials.reread())) {
      answer.destroy();
      answer = await this.#exchange(verb, path, signal, silence_ms);
    }
    if (answer.statusCode === 200) return answer;
    throw await refusalOf(answer);
  }

  async #exchange(verb: Verb, path: string, signal: AbortSignal, silence_ms: number): Promise<http.IncomingMessage> {
    try {
      const answer = await this.#request(path, signal, silence_ms);
      this.#counted(verb, String(answer.statusCode));
      return answer;
    } catch (error) {
      if (!signal.aborted) this.#counted(verb, 'error');
      throw error;
    }
  }

  async #request(path: string, signal: AbortSignal, silence_ms: number): Promise<http.IncomingMessage> {
    const { url, server_name, insecure } = this.#credentials.access;
    const { token, ca, cert, key } = await this.#credentials.current();
    signal.throwIfAborted();
    const headers: http.OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': `steptap/${version}` };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const tls = { rejectUnauthorized: !insecure, ca, cert, key, ...(server_name && { servername: server_name }) };
    const options = { path: url.pathname.replace(/\/$/, '') + path, headers, agent: this.#agent, ...tls };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(url, options);
      let answer: http.IncomingMessage | undefined;
      const end = (error: ApiError): void => void (answer ?? request).destroy(error);
      const closed = new AbortController();
      void this.#listen(request, silence_ms, closed.signal).then((silent) => {
        if (silent) end(new ApiError('TIMEOUT', `said nothing for ${silence_ms / 1000} s`));
      });
      const stop = (): void => end(new ApiError('ABORTED', 'was not waited for: steptap is stopping'));
      signal.addEventListener('abort', stop, { once: true });
      request.on('response', (response: http.IncomingMessage) => {
        answer = response;
        // Whoever reads it hears of its errors, and nobody reads one that is given up.
        response.on('error', () => {});
        resolve(response);
      });
      request.on('error', reject);
      request.on('close', () => {
        closed.abort(OVER);
        signal.removeEventListener('abort', stop);
      });
      request.end();
    });
  }

  /** True when nothing has come for so long, false when the request is over. */
  async #listen(request: http.ClientRequest, silence_ms: number, closed: AbortSignal): Promise<boolean> {
    let before = -1;
    for (;;) {
      const read = request.socket?.bytesRead ?? 0;
      if (read === before) return true;
      before = read;
      await this.#clock.sleep(silence_ms, closed);
      if (closed.aborted) return false;
    }
  }
}

async function refusalOf(answer: http.IncomingMessage): Promise<ApiError> {
  const { statusCode: status = 0, headers } = answer;
  // The API says why in a `Status`; something before it may answer with a page.
  const text = await wholeOf(answer, MOST_REFUSAL).catch(() => '');
  const seconds = Number(headers['retry-after'] ?? 0);
  const retry_after_ms = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), LONGEST_RETRY_AFTER_S) * 1000 : 0;
  return refused(status, mappingOf(text)?.['message'], retry_after_ms);
}

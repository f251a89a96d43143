import * as http from 'node:http';
import * as https from 'node:https';
import { authorization, certificateRefused, OutgoingError, outgoing, type Outgoing } from '../../outgoing/index.ts';
import type { OutgoingContext, OutgoingOptions } from '../../outgoing/index.ts';
import { sinkErrorOf, type Failure } from './failure.ts';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Where it came from, without credentials. */
  readonly from: string;
}

export interface HttpOptions extends OutgoingOptions {
  readonly timeout_ms: number;
}

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly type?: string;
  readonly body?: Buffer;
}

/** A bulk answer is about 100 bytes a row. */
const LARGEST_ANSWER = 64 << 20;

/**
 * One cluster behind several addresses, over connections that are kept. A request goes to the address that last worked and, where that
 * cannot be reached, to the next. Follows no redirect. Rejects with SinkErrors, whose text has neither secrets nor anything of a body;
 * any status is an answer, not an error.
 */
export class SearchHttp {
  readonly ways: readonly Outgoing[];
  readonly #options: HttpOptions;
  readonly #context: OutgoingContext;
  #current = 0;

  /** Throws when the options make no sense together. */
  constructor(options: HttpOptions, context: OutgoingContext, ways = outgoing(options, context)) {
    this.ways = ways;
    this.#options = options;
    this.#context = context;
  }

  /** The address in use. */
  get address(): string {
    return this.ways[this.#current]!.name;
  }

  async request(call: Call, signal: AbortSignal): Promise<Answer> {
    for (let tried = 1, stale = 0, renewed = 0; ;) {
      const way = this.ways[this.#current]!;
      const answer = await this.#exchange(way, call, signal);
      // Nothing of it was done, and what logs in has been replaced meanwhile.
      if (isRefused(answer) && renewed++ === 0 && way.reread()) continue;
      if (!('code' in answer)) return answer;
      if (answer.stale && stale++ === 0) continue;
      this.#current = (this.#current + 1) % this.ways.length;
      if (answer.unreachable && tried++ < this.ways.length) continue;
      throw sinkErrorOf(answer, way.name, this.#options.timeout_ms);
    }
  }

  close(): void {
    for (const { agent } of this.ways) agent.destroy();
  }

  /** One request to one address. Never rejects. */
  async #exchange(to: Outgoing, call: Call, signal: AbortSignal): Promise<Answer | Failure> {
    const headers: http.OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': 'steptap' };
    try {
      const login = authorization(to.ready());
      if (login !== undefined) headers['authorization'] = login;
    } catch (error) {
      if (!(error instanceof OutgoingError)) throw error;
      return noWay(error);
    }
    if (call.body !== undefined) {
      headers['content-type'] = call.type ?? 'application/json';
      headers['content-length'] = call.body.length;
    }
    const path = to.url.pathname.replace(/\/$/, '') + call.path;
    const done = new AbortController();
    return new Promise((resolve) => {
      const finish = (result: Answer | Failure): void => {
        if (done.signal.aborted) return;
        done.abort();
        signal.removeEventListener('abort', stop);
        // An answer that came before the whole body was sent (413) leaves a connection that cannot be used again.
        if ('code' in result || !request.writableFinished) request.destroy();
        resolve(result);
      };
      const fail = (code: string): void => finish({ code, unreachable: false, stale: false });
      const stop = (): void => fail('ABORTED');
      const options = { method: call.method, path, headers, agent: to.agent };
      const request = (to.url.protocol === 'https:' ? https : http).request(to.url, options, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > LARGEST_ANSWER) fail('ANSWER_TOO_LARGE');
          else chunks.push(chunk);
        });
        response.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'ECONNRESET'));
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          finish({ status, headers, body: Buffer.concat(chunks), from: to.name });
        });
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (error instanceof OutgoingError) return finish(noWay(error));
        const code = error.code ?? 'ECONNRESET';
        // An AggregateError is what is left when none of a name's addresses could be reached.
        const unreachable =
          error.syscall === 'connect' || error.syscall === 'getaddrinfo' || error instanceof AggregateError;
        finish({ code, unreachable, stale: request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE') });
      });
      request.end(call.body);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      void this.#context.clock.sleep(this.#options.timeout_ms, done.signal).then(() => fail('TIMEOUT'));
    });
  }
}

function noWay(error: OutgoingError): Failure {
  return { code: error.code, unreachable: true, stale: false, why: error };
}

function isRefused(answer: Answer | Failure): boolean {
  return 'code' in answer ? certificateRefused(answer.code) : answer.status === 401 || answer.status === 403;
}

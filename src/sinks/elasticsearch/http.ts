import * as http from 'node:http';
import * as https from 'node:https';
import type { Clock } from '../../clock.ts';
import { endpointOf, sinkErrorOf, type Credentials, type Endpoint, type Failure } from './endpoint.ts';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Where it came from, without credentials. */
  readonly from: string;
}

export interface HttpOptions extends Credentials {
  readonly urls: readonly string[];
  readonly timeout_ms: number;
  readonly clock: Clock;
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
  readonly #endpoints: readonly Endpoint[];
  readonly #options: HttpOptions;
  readonly #plain = new http.Agent({ keepAlive: true });
  readonly #secure = new https.Agent({ keepAlive: true });
  #current = 0;

  constructor(options: HttpOptions) {
    this.#endpoints = options.urls.map((url) => endpointOf(url, options));
    this.#options = options;
  }

  /** The address in use. */
  get address(): string {
    return this.#endpoints[this.#current]!.name;
  }

  async request(call: Call, signal: AbortSignal): Promise<Answer> {
    for (let tried = 1, stale = 0; ;) {
      const endpoint = this.#endpoints[this.#current]!;
      const answer = await this.#exchange(endpoint, call, signal);
      if (!('code' in answer)) return answer;
      if (answer.stale && stale++ === 0) continue;
      this.#current = (this.#current + 1) % this.#endpoints.length;
      if (answer.unreachable && tried++ < this.#endpoints.length) continue;
      throw sinkErrorOf(answer, endpoint.name, this.#options.timeout_ms);
    }
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** One request to one address. Never rejects. */
  #exchange(to: Endpoint, call: Call, signal: AbortSignal): Promise<Answer | Failure> {
    const secure = to.url.protocol === 'https:';
    const headers: http.OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': 'steptap' };
    if (to.authorization !== undefined) headers['authorization'] = to.authorization;
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
      const options = { method: call.method, path, headers, agent: secure ? this.#secure : this.#plain };
      const request = (secure ? https : http).request(to.url, options, (response) => {
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
        const code = error.code ?? 'ECONNRESET';
        // An AggregateError is what is left when none of a name's addresses could be reached.
        const unreachable =
          error.syscall === 'connect' || error.syscall === 'getaddrinfo' || error instanceof AggregateError;
        finish({ code, unreachable, stale: request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE') });
      });
      request.end(call.body);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      void this.#options.clock.sleep(this.#options.timeout_ms, done.signal).then(() => fail('TIMEOUT'));
    });
  }
}

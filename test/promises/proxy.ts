import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, passOn, type Answer, type Exchange, type Moment, type Treatment } from './exchange.ts';

export interface ProxyOptions {
  readonly name: string;
  readonly upstream: string;
  readonly kind: (method: string, url: URL, body: Buffer) => string;
  readonly treat: Treatment;
}

/** Longer than this nothing hangs: a half-open connection that the kernel gives up. */
const HANG_MS = 2_500;

/** Stands between steptap and a sink. Says what is open in it, and tells of every request as it goes along. */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #server = createServer((incoming, response) => void this.#take(incoming, response));
  readonly open = new Set<Exchange>();
  readonly counts = new Map<string, number>();
  /** Requests with rows that the sink has taken. */
  stored = 0;
  /** Called at every moment of every request; may end the process that asked. */
  at: (moment: Moment, exchange: Exchange) => void = () => {};
  /** True for a request whose good answer is to break off. */
  cuts: (exchange: Exchange) => boolean = () => false;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  async listen(): Promise<void> {
    this.#server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  count(fault: string): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = incoming;
    response.on('error', () => {});
    let exchange: Exchange | undefined;
    try {
      const body = await bodyOf(incoming);
      const url = new URL(incoming.url ?? '/', this.#options.upstream);
      const { method = 'GET', headers } = incoming;
      const what = this.#options.kind(method, url, body);
      const present = (): boolean => !socket.destroyed;
      exchange = { sink: this.#options.name, what, method, url, headers, body, present };
      this.open.add(exchange);
      this.at('received', exchange);
      await this.#answer(exchange, response);
    } catch {
      // Whoever asked is gone in the middle of a body, or the sink is: nothing is said.
      socket.resetAndDestroy();
    } finally {
      if (exchange !== undefined) this.open.delete(exchange);
    }
  }

  async #answer(exchange: Exchange, response: ServerResponse): Promise<void> {
    const socket = response.socket!;
    let good: Answer | undefined;
    const ending = await this.#options.treat(exchange, async (change = {}) => {
      // What was never passed on must not arrive after whoever asked is gone: by then it may have been asked for again.
      if (!exchange.present()) throw new Error('gone');
      const [url, body] = [change.url ?? exchange.url, change.body ?? exchange.body];
      good = await passOn(this.#options.upstream, exchange, url, body, () => this.at('asked', exchange));
      if (/^(?:insert|bulk)/.test(exchange.what) && good.status === 200) this.stored += 1;
      this.at('committed', exchange);
      return good;
    });
    if (ending === 'hang') {
      await sleep(HANG_MS);
      socket.resetAndDestroy();
      return;
    }
    if (ending === 'reset') {
      socket.resetAndDestroy();
      return;
    }
    const answer = typeof ending === 'object' ? ending : (good ?? NOTHING);
    if (ending === 'half' || (ending === 'good' && this.cuts(exchange))) {
      await this.#half(exchange, response, answer);
      return;
    }
    const { status, headers, body } = answer;
    response.writeHead(status, { ...headers, 'content-length': body.length });
    response.end(body);
    await new Promise((resolve) => response.once('close', resolve));
  }

  /** The first half of an answer, of its head when it has no body; then the connection breaks. */
  async #half(exchange: Exchange, response: ServerResponse, { status, headers, body }: Answer): Promise<void> {
    const head = Object.entries({ ...headers, 'content-length': String(body.length) });
    const lines = [`HTTP/1.1 ${status} OK`, ...head.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
    const sent = body.length === 0 ? lines.slice(0, -6) : lines + body.toString('latin1', 0, body.length >> 1);
    const socket = response.socket!;
    await new Promise<void>((resolve) => {
      socket.write(sent, 'latin1', () => resolve());
    });
    this.at('half', exchange);
    socket.destroy();
  }
}

const NOTHING: Answer = { status: 200, headers: {}, body: Buffer.alloc(0) };

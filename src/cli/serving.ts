import { UsageError } from '../errors.ts';
import { startHttpServer, type HttpServer, type HttpServerOptions, type Readiness } from '../http-server.ts';
import type { Lane } from '../delivery/lane.ts';
import { Certificate } from '../listening/certificate.ts';
import type { TokenListenerOptions } from '../listening/schema.ts';
import type { Feed } from '../live/feed.ts';
import { Secret } from '../listening/secret.ts';
import type { Log } from '../log.ts';
import type { Spool } from '../spool/spool.ts';
import { METRICS } from './run-options.ts';

/** Where metrics are served, and whether events are beside them. */
export interface ServingPlace extends TokenListenerOptions {
  readonly events: boolean;
}

type ServingOptions = Omit<HttpServerOptions, 'listen' | 'feed'> & { readonly feed: Feed };

/** `/metrics`, `/healthz`, `/readyz` and `/events`, at an address that may change. */
export class Serving {
  readonly #options: ServingOptions;
  readonly #log: Log;
  readonly #optional: boolean;
  #server: HttpServer | undefined;
  /** As it was said. */
  #place: ServingPlace | undefined;

  /** `optional`: an address that cannot be had is worth a warning, whatever it is. */
  constructor(options: ServingOptions, log: Log, optional = false) {
    this.#options = options;
    this.#log = log;
    this.#optional = optional;
  }

  get url(): string | undefined {
    return this.#server?.url;
  }

  /** Listens there, and nowhere else; undefined: nowhere. Throws a UsageError when it cannot, and then listens where it did before. */
  async at(place: ServingPlace | undefined): Promise<void> {
    const before = this.#server;
    if (before !== undefined && JSON.stringify(place) === JSON.stringify(this.#place)) return;
    if (place === undefined) {
      this.#server = undefined;
      await before?.close();
    } else if (before === undefined) this.#server = await this.#first(place);
    else await this.#move(before, place);
    this.#place = place;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  /** The default address may be taken by another steptap: that is worth a warning, not a failure. */
  async #first(place: ServingPlace): Promise<HttpServer | undefined> {
    try {
      return await this.#start(place);
    } catch (error) {
      const gives_way = this.#optional || (place.listen === METRICS && !(error instanceof UsageError));
      if (!gives_way) throw new UsageError((error as Error).message, { cause: error });
      this.#log('warning', `no metrics: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** The new address is listened on before the old one is left, unless they are in each other's way. */
  async #move(before: HttpServer, place: ServingPlace): Promise<void> {
    try {
      this.#server = await this.#start(place);
      await before.close();
    } catch {
      await before.close();
      try {
        this.#server = await this.#start(place);
      } catch (error) {
        this.#server = await this.#start(this.#place!);
        throw new UsageError((error as Error).message, { cause: error });
      }
    }
  }

  async #start({ listen, tls, token, token_file, events }: ServingPlace): Promise<HttpServer> {
    const certificate = tls === undefined ? undefined : new Certificate(tls, this.#log);
    const secret = Secret.of({ value: token, file: token_file }, 'token', this.#log);
    const feed = events ? this.#options.feed : undefined;
    return startHttpServer({ ...this.#options, listen, certificate, secret, feed });
  }
}

export function readiness(lanes: readonly Lane[], spool: Spool): Readiness {
  const sinks = Object.fromEntries(lanes.map(({ sink, state }) => [sink.name, state]));
  return { ready: lanes.every(({ state }) => state.state === 'running'), sinks, spool: spool.usage() };
}

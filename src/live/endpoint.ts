import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocal } from '../listening/address.ts';
import { OVER, type Clock } from '../clock.ts';
import { MOST_READERS, type Feed } from './feed.ts';
import { EVENT_STREAM, stream } from './stream.ts';
import type { Subscription } from './subscription.ts';
import { wantedOf } from './wanted.ts';

/** How long readers may take to hear of the end. */
const GOODBYE_MS = 500;

/**
 * Answers `GET /events` with the events of a feed. What may ask was looked at before, but for pages of a browser: they may be anybody's, and the browser is on the right side
 * of every wall.
 */
export class LiveEvents {
  readonly #feed: Feed;
  readonly #clock: Clock;
  readonly #open: boolean;
  readonly #streams = new Map<Subscription, Promise<void>>();

  /** `open`: anybody who reaches it may ask, so that the name by which he did must be one of this machine. */
  constructor(feed: Feed, clock: Clock, open: boolean) {
    this.#feed = feed;
    this.#clock = clock;
    this.#open = open;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (status: number, text: string): void => {
      const body = Buffer.from(`${text}\n`);
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length });
      response.end(body);
    };
    const foreign = foreignPage(request, this.#open);
    if (foreign !== undefined) return refuse(403, foreign);
    const url = new URL(request.url ?? '/', 'http://any');
    const wanted = wantedOf(url.searchParams);
    if (typeof wanted === 'string') return refuse(400, wanted);
    if (request.method === 'HEAD') {
      response.writeHead(200, { 'content-type': EVENT_STREAM }).end();
      return;
    }
    const subscribed = this.#feed.subscribe(wanted);
    if (subscribed === undefined) {
      response.setHeader('retry-after', '10');
      return refuse(503, `${MOST_READERS} are reading already; try again later`);
    }
    const { subscription, after } = subscribed;
    const streaming = stream(response, subscription, { after, wanted, clock: this.#clock });
    this.#streams.set(subscription, streaming);
    void streaming.finally(() => this.#streams.delete(subscription));
  }

  /** Ends every stream, behind what was committed by now where its reader takes it soon. */
  async close(): Promise<void> {
    if (this.#streams.size === 0) return;
    const late = new AbortController();
    await Promise.race([this.#end(), this.#clock.sleep(GOODBYE_MS, late.signal)]);
    late.abort(OVER);
    for (const subscription of this.#streams.keys()) subscription.close();
  }

  async #end(): Promise<void> {
    await this.#feed.settled();
    for (const subscription of this.#streams.keys()) subscription.end();
    await Promise.allSettled(this.#streams.values());
  }
}

/** Why a request is of a page that has nothing to look for here; undefined when it is of none. */
function foreignPage({ headers }: IncomingMessage, open: boolean): string | undefined {
  const { origin, host = '', 'sec-fetch-site': site } = headers;
  if (origin !== undefined && hostOf(origin) !== host.toLowerCase()) return 'not for pages of another origin';
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'not for pages of another site';
  // A page whose name was pointed here is of the same origin: nobody else calls this machine by such a name.
  const name = hostOf(`http://${host}`) === undefined ? '' : new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '');
  if (open && !isLocal({ host: name, port: 0 })) return 'ask for it as localhost, or with a token';
  return undefined;
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

import type { ClickHouseClientConfigOptions } from '@clickhouse/client';
import type { Clock } from '../../clock.ts';
import { outgoing, type Outgoing } from '../../outgoing/index.ts';
import { SinkError, type SinkContext } from '../sink.ts';
import { classify, EMBEDDED_UNAVAILABLE, refused, stopped, timedOut } from './errors.ts';
import { exchange, type Ask, type Client } from './exchange.ts';
import { clickhouseClient, type Library } from './library.ts';
import { headersOf, ways } from './login.ts';
import type { ClickHouseOptions } from './schema.ts';

type Hook = NonNullable<ClickHouseClientConfigOptions['connection']>;

/** One server, or the engine in this process: nothing above this knows which. */
export interface Connection {
  /** Its address, without credentials. */
  readonly where: string;
  /** Absent for the embedded engine. */
  readonly way?: Outgoing;
  /** Resolves with the body of a good answer; rejects with SinkErrors only, after `timeout_ms` at the latest. */
  ask(ask: Ask, signal: AbortSignal): Promise<string>;
  /**
   * Of the embedded engine only: resolves when nothing that was asked of it runs any more, which no question can tell, as an INSERT that nobody waits
   * for may still be waiting for its turn. Rejects like `ask`.
   */
  readonly quiet?: (signal: AbortSignal) => Promise<void>;
  close(): Promise<void>;
}

/** A connection for every address, or the one embedded engine. Opens no socket yet. */
export async function connect(options: ClickHouseOptions, context: SinkContext): Promise<Connection[]> {
  const { path, timeout_ms } = options;
  const { clock } = context;
  const library = clickhouseClient();
  if (path !== undefined) {
    const client = await embedded(library, path);
    return [
      {
        where: path,
        ask: (ask, signal) => exchange(client, path, ask, signal, timeout_ms, clock),
        quiet: (signal) => quieted(path, signal, timeout_ms, clock),
        close: () => client.close(),
      },
    ];
  }
  return outgoing(ways(options), context).map((way) => overHttp(library, way, options, clock));
}

function overHttp(library: Library, way: Outgoing, options: ClickHouseOptions, clock: Clock): Connection {
  const { name: where } = way;
  const { timeout_ms } = options;
  const client = httpClient(library, way, options);
  const once = async (ask: Ask, signal: AbortSignal): Promise<string> => {
    try {
      const http_headers = headersOf(way.ready(), way.url, options);
      return await exchange(client, where, { ...ask, http_headers }, signal, timeout_ms, clock);
    } catch (error) {
      throw classify(error, where);
    }
  };
  return {
    where,
    way,
    ask: async (ask, signal) => {
      try {
        return await once(ask, signal);
      } catch (error) {
        // Nothing of it was done, and what logs in has been replaced meanwhile.
        if (!refused(error) || !way.reread()) throw error;
        return once(ask, signal);
      }
    },
    close: async () => {
      await client.close();
      way.agent.destroy();
    },
  };
}

function httpClient(library: Library, { url, agent }: Outgoing, options: ClickHouseOptions): Client {
  const { compression } = options;
  return library.createClient({
    url: url.origin,
    // In a URL the client would read a path as the name of a database.
    ...(url.pathname === '/' ? {} : { pathname: url.pathname }),
    http_agent: agent,
    // What logs in may be replaced: it goes with each request.
    set_basic_auth_header: false,
    application: 'steptap',
    // Sockets are checked for age when they are taken: an event loop that was busy has late timers, and a stale socket is a reset.
    keep_alive: { enabled: true, eagerly_destroy_stale_sockets: true },
    // Ours is the deadline, and the client's knows only of silence on the socket.
    request_timeout: Math.min(options.timeout_ms * 2 + 1_000, 2_147_483_647),
    compression: {
      response: false,
      request:
        compression === 'none'
          ? false
          : compression === 'gzip'
            ? { codec: 'gzip', level: 1 }
            : { codec: 'br', quality: 0 },
    },
    // It would print statements and settings.
    log: { level: library.ClickHouseLogLevel.OFF },
  });
}

/** chdb is 550 MB: whoever wants the embedded engine installs it, and nobody else loads it. */
async function embedded({ createClient, ClickHouseLogLevel }: Library, path: string): Promise<Client> {
  let chdb: typeof import('chdb/connection');
  try {
    chdb = await import('chdb/connection');
  } catch (cause) {
    const advice = `the embedded engine at ${path} needs the package chdb (glibc Linux or macOS): npm install chdb, or give \`urls\``;
    throw new SinkError('hold', EMBEDDED_UNAVAILABLE, advice, { cause });
  }
  try {
    // The same interface, declared once in each package.
    const connection = chdb.createChdbConnection({ path }) as unknown as Hook;
    return createClient({ connection, log: { level: ClickHouseLogLevel.OFF } });
  } catch (error) {
    throw classify(error, path);
  }
}

/** The engine cannot be told to end a query; it has ended when its native call has, which the package waits for. */
async function quieted(path: string, signal: AbortSignal, timeout_ms: number, clock: Clock): Promise<void> {
  if (signal.aborted) throw stopped(path);
  const { drainPending } = await import('chdb');
  const waiting = new AbortController();
  const drained = drainPending().then(() => true);
  const stop = AbortSignal.any([signal, waiting.signal]);
  const ended = await Promise.race([drained, clock.sleep(timeout_ms, stop).then(() => false)]);
  waiting.abort();
  if (ended) return;
  throw signal.aborted ? stopped(path) : timedOut(path, timeout_ms);
}

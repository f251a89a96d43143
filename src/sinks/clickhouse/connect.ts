import { createClient, ClickHouseLogLevel, type ClickHouseClientConfigOptions } from '@clickhouse/client';
import type { Clock } from '../../clock.ts';
import { SinkError } from '../sink.ts';
import { classify, EMBEDDED_UNAVAILABLE, stopped, timedOut } from './errors.ts';
import { exchange, type Ask, type Client } from './exchange.ts';
import type { ClickHouseOptions } from './schema.ts';

type Hook = NonNullable<ClickHouseClientConfigOptions['connection']>;

/** One server, or the engine in this process: nothing above this knows which. */
export interface Connection {
  /** Its address, without credentials. */
  readonly where: string;
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
export async function connect(options: ClickHouseOptions, clock: Clock): Promise<Connection[]> {
  const { path, timeout_ms } = options;
  const wrap = (client: Client, where: string): Connection => ({
    where,
    ask: (ask, signal) => exchange(client, where, ask, signal, timeout_ms, clock),
    close: () => client.close(),
  });
  if (path !== undefined) {
    const quiet = (signal: AbortSignal): Promise<void> => quieted(path, signal, timeout_ms, clock);
    return [{ ...wrap(await embedded(path), path), quiet }];
  }
  return options.urls.map((text) => {
    const { url, user, password } = address(text, options);
    return wrap(overHttp(url, user, password, options), url.href.replace(/\/$/, ''));
  });
}

function overHttp(url: URL, username: string, password: string, options: ClickHouseOptions): Client {
  const { compression } = options;
  return createClient({
    url: url.origin,
    // In a URL the client would read a path as the name of a database.
    ...(url.pathname === '/' ? {} : { pathname: url.pathname }),
    username,
    password,
    application: 'steptap',
    // Sockets are checked for age when they are taken: an event loop that was busy has late timers, and a stale socket is a reset.
    keep_alive: { enabled: true, eagerly_destroy_stale_sockets: true },
    // One part is in flight at a time; what else there is are a few questions at the start.
    max_open_connections: 4,
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
    log: { level: ClickHouseLogLevel.OFF },
  });
}

/** Credentials in the address win over `user` and `password`, and are taken off it. */
function address(text: string, options: ClickHouseOptions): { url: URL; user: string; password: string } {
  const url = new URL(text);
  const given = url.username !== '' || url.password !== '';
  const user = given ? decoded(url.username) || 'default' : options.user;
  const password = given ? decoded(url.password) : options.password;
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return { url, user, password };
}

/** A lone `%` in a password is meant as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** chdb is 550 MB: whoever wants the embedded engine installs it, and nobody else loads it. */
async function embedded(path: string): Promise<Client> {
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

import type { FromSchema } from 'json-schema-to-ts';
import { createServer, type Server, type Socket } from 'node:net';
import { hostname as machine } from 'node:os';
import { createServer as createTlsServer } from 'node:tls';
import { OVER, type Clock } from '../../clock.ts';
import type { Intake } from '../../intake.ts';
import { listenAgain, readyToListen } from '../../listening/again.ts';
import { Certificate } from '../../listening/certificate.ts';
import { Secret } from '../../listening/secret.ts';
import { UsageError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { OwnSource } from '../source.ts';
import { Connection, type Served } from './connection.ts';
import { Crowd, MOST_CONNECTIONS } from './crowd.ts';
import { Door, type DoorOptions, type User } from './door.ts';
import { FORWARD_DEFAULTS, type forwardSourceOptions } from './schema.ts';
import { Storing, type Stored } from './storing.ts';

export type ForwardSourceOptions = Partial<FromSchema<typeof forwardSourceOptions>>;

export interface ForwardSourceContext {
  readonly clock: Clock;
  readonly log: Log;
  /** Of nonces and salts. */
  readonly random?: DoorOptions['random'];
  /** Told of where it listens, once. */
  readonly listening?: (address: string) => void;
}

/** How often deadlines are looked at, and how often one reason is told. */
const LOOK_MS = 1_000;
const TOLD_MS = 60_000;
/** What peers get to take their last answers when it stops. */
const REST_MS = 5_000;

/** Messages in the forward protocol, until it is stopped. Throws a UsageError when its options make no sense. */
export function forwardSource(name: string, options: ForwardSourceOptions, context: ForwardSourceContext): OwnSource {
  const { listen = FORWARD_DEFAULTS.listen, tls } = options;
  const { clock, log } = context;
  const door = doorOf(options, context);
  const certificate = tls === undefined ? undefined : new Certificate(tls, log);
  return {
    name,
    resumes: true,
    follows: true,
    ready: () => readyToListen(name, listen),
    async run(intake, stop) {
      const serving = new Serving(name, door, intake, log);
      const server = serverOf(certificate, (socket) => serving.connected(socket));
      const address = await listenAgain(server, listen, { clock, log, stop });
      if (address === undefined) return;
      log('info', `${name}: listening on ${address}`, { source: name, listen: address });
      context.listening?.(address);
      await serving.until(stop);
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await serving.finish(closed);
    },
  };
}

function serverOf(certificate: Certificate | undefined, connected: (socket: Socket) => void): Server {
  // A peer that has sent all may still wait for its acknowledgement.
  const options = { allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: 60_000, noDelay: true };
  let server: Server;
  if (certificate === undefined) server = createServer(options, connected);
  else {
    const secure = createTlsServer({ ...options, ...certificate.options }, connected);
    certificate.follow(secure);
    server = secure;
  }
  // Beside those that the crowd knows, some that are still at the handshake of TLS.
  server.maxConnections = 2 * MOST_CONNECTIONS;
  return server;
}

/** Throws a UsageError when nobody could be let in, or a secret cannot be read. */
export function doorOf(
  options: ForwardSourceOptions,
  { log, random }: Pick<ForwardSourceContext, 'log' | 'random'>,
): Door | undefined {
  const { shared_key, shared_key_file, hostname = machine() } = options;
  const key = Secret.of({ value: shared_key, file: shared_key_file }, 'shared_key', log);
  if (key === undefined && options.users !== undefined) {
    throw new UsageError(
      'users are only asked for their passwords where there is a key: give shared_key_file, or leave out users',
    );
  }
  if (key === undefined) return undefined;
  const users = options.users?.map(({ username, password, password_file }): User => {
    const own = Secret.of({ value: password, file: password_file }, `password of ${username}`, log);
    if (own === undefined) throw new UsageError(`user ${username} has no password: give password_file`);
    return { username, password: own };
  });
  return new Door({ key, users, hostname, ...(random === undefined ? {} : { random }) });
}

/** All connections of a run of the source. */
class Serving implements Served {
  readonly door: Door | undefined;
  readonly #name: string;
  readonly #intake: Intake;
  readonly #log: Log;
  readonly #storing: Storing;
  readonly #crowd = new Crowd((connection, why) => this.refused(connection, why));
  readonly #waiting = new Set<Connection>();
  readonly #told = new Map<string, number>();
  #over = false;

  constructor(name: string, door: Door | undefined, intake: Intake, log: Log) {
    this.#name = name;
    this.door = door;
    this.#intake = intake;
    this.#log = log;
    this.#storing = new Storing(name, intake);
  }

  get full(): boolean {
    return this.#storing.full;
  }

  now(): number {
    return this.#intake.clock.monotonic();
  }

  connected(socket: Socket): void {
    // Its handshake of TLS has taken so long.
    if (this.#over) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, this);
    socket.once('close', () => this.#crowd.leave(connection));
    this.#crowd.enter(connection);
  }

  take(...message: Parameters<Storing['take']>): Promise<Stored> {
    return this.#storing.take(...message);
  }

  waits(connection: Connection): void {
    this.#waiting.add(connection);
  }

  stored(what: Exclude<Stored, 'too_large'>): void {
    this.#intake.counters.messages(this.#name, what);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const connection of waiting) connection.goOn();
  }

  held(connection: Connection): void {
    this.#crowd.holds(connection);
  }

  refused({ address }: Connection, why: string): void {
    this.#intake.counters.messages(this.#name, 'refused');
    const now = this.now();
    if (now - (this.#told.get(why) ?? Number.NEGATIVE_INFINITY) < TOLD_MS) return;
    this.#told.set(why, now);
    this.#log('warning', `${this.#name}: the connection of ${address} was closed: ${why}`, {
      source: this.#name,
      address,
    });
  }

  async until(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#intake.clock.sleep(LOOK_MS, stop);
      this.#crowd.look(this.now());
      // The spool may have room again by what others did.
      this.#goOn();
    }
  }

  /** Resolves when everything that was read is answered, and everybody has been hung up on. */
  async finish(closed: Promise<void>): Promise<void> {
    this.#over = true;
    this.#storing.flush();
    await Promise.all([...this.#crowd.all].map((connection) => connection.finish()));
    const over = new AbortController();
    await Promise.race([closed, this.#intake.clock.sleep(REST_MS, over.signal)]);
    over.abort(OVER);
    for (const connection of this.#crowd.all) connection.close();
    await closed;
  }
}

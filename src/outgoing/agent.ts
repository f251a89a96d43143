import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectSecure, type TLSSocket } from 'node:tls';
import { OVER, type Clock } from '../clock.ts';
import type { Proxy } from './proxy.ts';
import { proxyHeaders, reachProxy, tunnel } from './tunnel.ts';
import type { Tls } from './tls.ts';

/** One part is in flight at a time; what else there is are a few questions at the start. */
const MOST_SOCKETS = 4;

export interface Way {
  /** Absent for an address that is not https. */
  readonly tls: Tls | undefined;
  readonly proxy: Proxy | undefined;
  readonly clock: Clock;
}

type Create = (error: Error | null, socket: Duplex) => void;

/** What Node's own agent is called with for every request, before anything of it is sent; not in its types. */
interface Adding {
  addRequest(request: ClientRequest, options: ClientRequestArgs): void;
}

/**
 * Connections to one address, kept: in TLS as its files say now, through a proxy if there is one. What is asked of an address that is not https is asked of the
 * proxy itself, with the whole address (RFC 9112, 3.2.2); one that is https, behind a CONNECT. Errors of requests are OutgoingErrors where there was no way
 * to the server.
 */
export class OutgoingAgent extends Agent {
  readonly protocol: string;
  readonly defaultPort: number;
  /** When the certificate ends that the server showed last. */
  server_expires: Date | undefined;
  readonly #way: Way;
  readonly #over = new AbortController();
  readonly #generations = new WeakMap<Duplex, number>();

  constructor(way: Way) {
    super({ keepAlive: true, maxSockets: MOST_SOCKETS });
    this.#way = way;
    this.protocol = way.tls === undefined ? 'http:' : 'https:';
    this.defaultPort = way.tls === undefined ? 80 : 443;
  }

  addRequest(request: ClientRequest, options: ClientRequestArgs): void {
    const { proxy, tls } = this.#way;
    if (proxy !== undefined && tls === undefined) {
      request.path = `http://${request.getHeader('host') as string}${request.path}`;
      for (const [name, value] of Object.entries(proxyHeaders(proxy))) request.setHeader(name, value);
    }
    (Agent.prototype as unknown as Adding).addRequest.call(this, request, options);
  }

  override createConnection(options: ClientRequestArgs, create: Create): Duplex | null | undefined {
    const { proxy, tls, clock } = this.#way;
    if (proxy === undefined)
      return tls === undefined ? super.createConnection(options, create) : this.#secured(options);
    const reaching = { clock, signal: this.#over.signal };
    const host = options.host ?? '';
    const to = `${isIPv6(host) ? `[${host}]` : host}:${options.port}`;
    const reached = tls === undefined ? reachProxy(proxy, reaching) : tunnel(proxy, to, reaching);
    // One that fails has no socket, which the types do not know.
    const failed = create as (error: unknown) => void;
    void reached
      .then((socket) => create(null, tls === undefined ? socket : this.#secured({ ...options, socket })))
      .catch(failed);
    return undefined;
  }

  /** One whose certificate is of yesterday is not used again. */
  override keepSocketAlive(socket: Duplex): boolean {
    const { tls } = this.#way;
    if (tls !== undefined && this.#generations.get(socket) !== tls.generation) return false;
    // It says so, though its types do not.
    return super.keepSocketAlive(socket) as unknown as boolean;
  }

  /** Lets connections go that nobody uses, where the files of TLS have changed since. Throws an OutgoingError while those never could be used. */
  renew(): void {
    const { tls } = this.#way;
    if (tls === undefined) return;
    tls.look();
    const free = Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []);
    for (const socket of free) if (this.#generations.get(socket) !== tls.generation) socket.destroy();
  }

  override destroy(): void {
    this.#over.abort(OVER);
    super.destroy();
  }

  #secured(options: ClientRequestArgs & { socket?: Duplex }): TLSSocket {
    const tls = this.#way.tls!;
    const { socket: through, host = '', port } = options;
    const to = through === undefined ? { host: host!, port: Number(port) } : { socket: through };
    const kept = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 1_000 };
    const socket = connectSecure({ ...to, ...kept, ...tls.connectOptions(host!), ALPNProtocols: ['http/1.1'] });
    this.#generations.set(socket, tls.generation);
    socket.once('secureConnect', () => {
      const { valid_to } = socket.getPeerCertificate();
      if (valid_to !== undefined) this.server_expires = new Date(valid_to);
    });
    return socket;
  }
}

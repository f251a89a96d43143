import type { Server, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Who keeps a connection when there are too many: the newest comes in, and of those that have never had anything stored the oldest is cut off. So whoever opens a
 * thousand and says nothing is in his own way, and in nobody else's.
 */
export class Admission {
  readonly #most: number;
  #open = 0;
  /** Connections of which nothing was stored yet, the oldest first. */
  readonly #new = new Set<Socket>();
  /** The connection below the one that TLS makes of it, by the address of the client. */
  readonly #below = new Map<string, Socket>();

  constructor(server: Server, most: number) {
    this.#most = most;
    server.maxConnections = Number.POSITIVE_INFINITY;
    // Before the server's own, which may begin a handshake.
    server.prependListener('connection', (socket: Socket) => this.#enter(socket));
  }

  /** Something of this connection was stored. */
  known({ socket }: IncomingMessage): void {
    if (!this.#new.delete(socket)) this.#new.delete(this.#below.get(addressOf(socket))!);
  }

  #enter(socket: Socket): void {
    const address = addressOf(socket);
    this.#open += 1;
    this.#new.add(socket);
    this.#below.set(address, socket);
    socket.once('close', () => {
      this.#open -= 1;
      this.#new.delete(socket);
      if (this.#below.get(address) === socket) this.#below.delete(address);
    });
    if (this.#open <= this.#most) return;
    const [oldest] = this.#new;
    oldest?.destroy();
  }
}

function addressOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

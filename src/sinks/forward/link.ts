import { randomBytes } from 'node:crypto';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { errorCode } from '../../errors.ts';
import {
  encodePing,
  keyDigest,
  NONCE_BYTES,
  passwordDigest,
  readHelo,
  readPong,
  sameDigest,
} from '../../forward/handshake.ts';
import type { Address } from '../../listening/address.ts';
import { MsgpackError, Values } from '../../msgpack/values.ts';
import { OutgoingError, tlsTrouble } from '../../outgoing/errors.ts';
import { SinkError } from '../sink.ts';

/** What a receiver says is a word, a digest, the name of a chunk. */
const MOST_ANSWER_BYTES = 4096;
const MOST_HELD_BYTES = 1 << 20;

export interface Credentials {
  readonly key: Buffer;
  readonly username: string;
  readonly password: Buffer;
}

export interface LinkOptions {
  readonly address: Address;
  /** For messages. */
  readonly where: string;
  /** Our own name. */
  readonly hostname: string;
  readonly timeout_ms: number;
  /** As they are now; undefined where the receiver asks for none. */
  readonly credentials: () => Credentials | undefined;
  /** Undefined: without TLS. */
  readonly tls: (() => ConnectionOptions) | undefined;
}

/** A connection to a receiver that has let us in. One frame is under way at a time. */
export class Link {
  readonly #socket: Socket;
  readonly #where: string;
  readonly #values = new Values(MOST_ANSWER_BYTES);
  /** Why it is of no more use. */
  #broken: SinkError | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket, where: string) {
    this.#socket = socket;
    this.#where = where;
    socket.on('data', (piece: Buffer) => {
      this.#values.push(piece);
      this.#wake();
      // Between two frames nobody looks at it.
      if (this.#values.held > MOST_HELD_BYTES) this.#break('PROTOCOL', 'it says more than it is asked');
    });
    socket.on('error', (error) => {
      const code = errorCode(error) ?? 'UNKNOWN';
      const trouble = tlsTrouble(code);
      if (trouble !== undefined) this.#broken ??= this.#failure('hold', code, trouble.advice, error);
      this.#break(code, 'the connection failed', error);
    });
    socket.on('close', () => this.#break('CLOSED', 'the receiver hung up'));
  }

  /** Rejects with a SinkError. Nothing was sent then. */
  static async open(options: LinkOptions, signal: AbortSignal): Promise<Link> {
    const { address, tls, where, timeout_ms } = options;
    const to = 'path' in address ? address : { host: address.host, port: address.port };
    const socket = tls === undefined ? connectPlain(to) : connectTls({ ...to, ...secured(tls, where) });
    const link = new Link(socket, where);
    await link.#within(timeout_ms, signal, async () => {
      const connected = tls === undefined ? 'connect' : 'secureConnect';
      let is = false;
      socket.once(connected, () => {
        is = true;
        link.#wake();
      });
      while (!is) await link.#change();
      socket.setNoDelay(true).setKeepAlive(true, 60_000);
      const credentials = options.credentials();
      if (credentials !== undefined) await link.#shakeHands(credentials, options.hostname);
    });
    return link;
  }

  get broken(): boolean {
    return this.#broken !== undefined;
  }

  /** Resolves when the frame is acknowledged as `chunk`, or written, where that is undefined. Rejects with a SinkError, and is then of no more use. */
  async send(frame: Buffer, chunk: string | undefined, timeout_ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#within(timeout_ms, signal, async () => {
        let written = false;
        this.#socket.write(frame, () => {
          written = true;
          this.#wake();
        });
        while (!written) await this.#change();
        if (chunk === undefined) return;
        for (;;) {
          const answer = await this.#frame();
          if (isAck(answer, chunk)) return;
          if (answer.toString('latin1', 2, 6) !== 'HELO') continue;
          throw this.#failure('hold', 'REFUSED', 'it asks for a shared key: give shared_key_file');
        }
      });
    } catch (error) {
      // Whatever happened, the receiver may have it.
      const { failure, code, message, cause } = error as SinkError;
      throw new SinkError(failure, code, message, { in_doubt: true, cause });
    }
  }

  close(): void {
    this.#broken ??= new SinkError('retry', 'CLOSED', 'closed');
    this.#socket.destroy();
  }

  async #shakeHands({ key, username, password }: Credentials, hostname: string): Promise<void> {
    const { nonce, auth } = readHelo(await this.#frame());
    const salt = randomBytes(NONCE_BYTES);
    // As text, as Fluentd writes it: whoever decodes it as such gets the same bytes back.
    const text = Buffer.from(salt.toString('hex'));
    const digest = keyDigest(text, Buffer.from(hostname), nonce, key);
    const asked = auth.length > 0;
    const secret = asked ? passwordDigest(auth, Buffer.from(username), password) : '';
    this.#socket.write(encodePing([hostname, text.toString(), digest, asked ? username : '', secret]));
    const pong = readPong(await this.#frame());
    if (!pong.ok) throw this.#failure('hold', 'REFUSED', `it refuses us: ${refusalText(pong.reason)}`);
    if (!sameDigest(pong.digest, keyDigest(text, pong.hostname, nonce, key))) {
      throw this.#failure('hold', 'REFUSED', 'it does not have the shared key itself: is it the right receiver?');
    }
  }

  /** The next frame; rejects when the connection is gone. */
  async #frame(): Promise<Buffer> {
    for (;;) {
      const frame = this.#values.next();
      if (frame !== undefined) return Buffer.from(frame);
      await this.#change();
    }
  }

  /** Resolves when something has come; rejects when nothing will any more. */
  async #change(): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#broken !== undefined) throw this.#broken;
  }

  async #within(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const stop = (): void => this.#break('ABORTED', 'stopped');
    const timer = setTimeout(() => this.#break('TIMEOUT', `no answer within ${ms} ms`), ms);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await work();
    } catch (error) {
      const failure =
        error instanceof MsgpackError ? this.#failure('retry', 'PROTOCOL', `it said ${error.message}`) : error;
      this.close();
      throw failure;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  #break(code: string, why: string, cause?: Error): void {
    this.#broken ??= this.#failure('retry', code, why, cause);
    this.#socket.destroy();
    this.#wake();
  }

  #failure(failure: 'retry' | 'hold', code: string, why: string, cause?: Error): SinkError {
    return new SinkError(failure, code, `${this.#where}: ${why} (${code}); tried again`, { cause });
  }
}

/** What the files of TLS say now. */
function secured(tls: () => ConnectionOptions, where: string): ConnectionOptions {
  try {
    return tls();
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error;
    throw new SinkError(error.failure, error.code, `${where}: ${error.message}`, { cause: error });
  }
}

/** `{"ack": chunk}`. */
function isAck(frame: Buffer, chunk: string): boolean {
  return frame[0] === 0x81 && frame.toString('latin1', 2, 5) === 'ack' && frame.toString('latin1').endsWith(chunk);
}

/** Only what the protocol's servers are known to say is told: anything else may be anything. */
function refusalText(reason: string): string {
  const known = ['shared key mismatch', 'shared_key mismatch', 'username/password mismatch'];
  return known.find((each) => reason.toLowerCase().includes(each)) ?? 'look into its log';
}

import type { Socket } from 'node:net';
import { MOST_BYTES } from '../../forward/limits.ts';
import { MsgpackError, Values } from '../../msgpack/values.ts';
import type { Door } from './door.ts';
import { readMessage, type Message } from './message.ts';
import type { Stored } from './storing.ts';

/** A handshake is some hundred bytes: more is not kept for somebody who is not known. */
const MOST_GREETING_BYTES = 4096;
/** Messages of one peer that may wait for their commit. */
const MOST_UNANSWERED = 1_000;
/** A chunk is a digest, a number, the name of a part; it is kept until it is answered. */
const MOST_CHUNK_BYTES = 256;

/** What a connection needs of the source that it is one of. */
export interface Served {
  readonly now: () => number;
  /** Lets in who has the key; undefined where everybody may come in. */
  readonly door: Door | undefined;
  /** True when nothing is to be read for now. */
  readonly full: boolean;
  /** It waits until there may be room again: then `goOn` is called. */
  waits(connection: Connection): void;
  take(message: Message, peer: string): Promise<Stored>;
  stored(what: Exclude<Stored, 'too_large'>): void;
  refused(connection: Connection, why: string): void;
  /** The bytes that it holds have become more or less. */
  held(connection: Connection): void;
}

/**
 * One peer of the forward protocol.
 *
 *   greeting  it was sent HELO, and has to answer within seconds; only where there is a door
 *   open      its messages are taken as they come, and answered in that order, each when it is committed
 *   waiting   the same, but nothing is read, since the spool has no room, or it does not take its answers
 *   ending    it sends nothing more, or is not listened to any more; what it sent is still answered
 *   closed
 *
 * What cannot be read, or is larger than anything should be, closes it: an answer would say that it is stored. Its sender then has it still.
 */
export class Connection {
  readonly address: string;
  readonly since: number;
  /** When its last bytes came, and when the first of the message that is not whole. */
  touched: number;
  begun: number | undefined;
  greeting: boolean;
  waiting = false;
  readonly #socket: Socket;
  readonly #served: Served;
  readonly #values: Values;
  readonly #nonce: ReturnType<Door['greet']> | undefined;
  #peer: string;
  #said_all = false;
  #ending = false;
  #unanswered = 0;
  /** Resolves when everything that it sent is answered, or will not be. */
  #answered: Promise<void> = Promise.resolve();

  constructor(socket: Socket, served: Served) {
    const { door } = served;
    this.#socket = socket;
    this.#served = served;
    this.address = socket.remoteAddress ?? 'a socket of this machine';
    this.#peer = this.address;
    this.since = this.touched = served.now();
    this.greeting = door !== undefined;
    this.#values = new Values(this.greeting ? MOST_GREETING_BYTES : MOST_BYTES);
    socket.on('data', (piece: Buffer) => this.#read(piece));
    socket.on('drain', () => this.goOn());
    socket.on('end', () => this.#end());
    socket.on('error', () => socket.destroy());
    this.#nonce = door?.greet();
    if (this.#nonce !== undefined) socket.write(this.#nonce.helo);
  }

  /** Bytes of a message that is not whole. */
  get held(): number {
    return this.#values.held;
  }

  /** True when it waits for nothing of ours. */
  get idle(): boolean {
    return this.#unanswered === 0 && (!this.waiting || this.#socket.writableNeedDrain);
  }

  /** Reads nothing until `goOn`. */
  hold(): void {
    this.waiting = true;
    this.#socket.pause();
  }

  /** There may be room again. */
  goOn(): void {
    if (!this.waiting) return;
    this.waiting = false;
    this.#work();
    if (this.waiting || this.#ending) return;
    if (this.#said_all) void this.finish();
    else this.#socket.resume();
  }

  /** Reads nothing more, and hangs up when everything is answered. */
  async finish(): Promise<void> {
    this.#ending = true;
    await this.#answered;
    this.#socket.destroySoon();
  }

  close(): void {
    this.#ending = true;
    this.#socket.destroy();
  }

  #read(piece: Buffer): void {
    if (this.#ending) return;
    this.touched = this.#served.now();
    this.#values.push(piece);
    this.#work();
  }

  /** It sends nothing more, and may still wait for answers. */
  #end(): void {
    this.#said_all = true;
    if (!this.waiting) void this.finish();
  }

  #work(): void {
    try {
      while (!this.#ending) {
        if (this.#socket.writableNeedDrain) {
          this.hold();
          break;
        }
        if (this.#served.full || this.#unanswered >= MOST_UNANSWERED) {
          this.hold();
          this.#served.waits(this);
          break;
        }
        const frame = this.#values.next();
        if (frame === undefined) break;
        this.begun = undefined;
        if (this.greeting) this.#greet(frame);
        else this.#take(frame);
      }
    } catch (error) {
      if (!(error instanceof MsgpackError)) throw error;
      this.#refuse(error.message);
      this.#socket.destroy();
    }
    this.begun = this.held === 0 ? undefined : (this.begun ?? this.touched);
    this.#served.held(this);
  }

  #greet(frame: Buffer): void {
    const answer = this.#served.door!.open(frame, this.#nonce!);
    if (answer.hostname === undefined) {
      this.#socket.write(answer.pong);
      this.#socket.destroySoon();
      this.#refuse(answer.why);
      return;
    }
    this.#socket.write(answer.pong);
    this.greeting = false;
    this.#peer = `${answer.hostname} ${this.address}`;
    this.#values.max_bytes = MOST_BYTES;
  }

  #take(frame: Buffer): void {
    const message = readMessage(frame);
    const { chunk } = message.option;
    if (chunk !== undefined && chunk.length > MOST_CHUNK_BYTES) {
      throw new MsgpackError(`a chunk whose name has more than ${MOST_CHUNK_BYTES} bytes`);
    }
    const stored = this.#served.take(message, this.#peer).catch(() => undefined);
    this.#unanswered += 1;
    this.#answered = this.#answered.then(async () => {
      const what = await stored;
      this.#unanswered -= 1;
      // Without an answer it will be sent again.
      if (what === undefined) return this.close();
      if (what === 'too_large') {
        this.#refuse('a message whose rows are too many for one record: let its sender make smaller chunks');
        return this.close();
      }
      this.#served.stored(what);
      if (chunk !== undefined && this.#socket.writable) this.#socket.write(ackOf(chunk));
      this.goOn();
    });
  }

  #refuse(why: string): void {
    this.#ending = true;
    this.#served.refused(this, why);
  }
}

/** `{"ack": chunk}`, the chunk as it came. */
function ackOf(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0xa3]), Buffer.from('ack'), chunk]);
}

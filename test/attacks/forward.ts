import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { encodePing, keyDigest, readHelo } from '../../src/forward/handshake.ts';
import { Values } from '../../src/msgpack/values.ts';
import { Cli, type Ended } from '../support/run-cli.ts';

const KEY = 'let me in';
/** Where the honest sender is, whom the others cannot be. */
const HONEST = '127.0.0.2';

/** What somebody does who means harm, until `stop` aborts. */
export interface Attack {
  readonly name: string;
  run(port: number, stop: AbortSignal): Promise<void>;
}

/** A steptap in a process of its own, with a listener that asks for a key. */
export class Target {
  readonly port: number;
  readonly #cli: Cli;
  readonly #home: string;

  private constructor(cli: Cli, home: string, port: number) {
    this.#cli = cli;
    this.#home = home;
    this.port = port;
  }

  static async start(): Promise<Target> {
    const home = await mkdtemp(join(tmpdir(), 'steptap-attack-'));
    const sinks = 'files: { directory: rows }, prometheus: { listen: none }';
    const source = `in: { type: forward, listen: '127.0.0.1:0', shared_key: ${KEY} }`;
    await writeFile(join(home, 'p.yaml'), `sources: { ${source} }\nsinks: { ${sinks} }\n`);
    const cli = new Cli(['-c', 'p.yaml'], { cwd: home });
    const address = String((await cli.said(/: listening on /))['listen']);
    return new Target(cli, home, Number(address.split(':')[1]));
  }

  /** The most memory that it ever had, in MB. */
  peakMb(): number {
    const status = readFileSync(`/proc/${this.#cli.child.pid}/status`, 'utf8');
    return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
  }

  /** Ends it in order, and gives the honest messages that it stored. */
  async end(): Promise<{ ended: Ended; messages: string[] }> {
    this.#cli.kill('SIGTERM');
    const ended = await this.#cli.ended;
    const messages: string[] = [];
    for (const name of await readdir(join(this.#home, 'rows'))) {
      const text = await readFile(join(this.#home, 'rows', name), 'latin1');
      for (const [, message] of text.matchAll(/"message":"(honest \d+)"/g)) messages.push(message!);
    }
    await rm(this.#home, { recursive: true, force: true });
    return { ended, messages };
  }
}

/** A connection, and what comes on it. */
class Peer {
  readonly socket: Socket;
  readonly #values = new Values(1 << 20);
  #wake: () => void = () => {};

  /** Hangs up when `stop` aborts. */
  constructor(port: number, stop?: AbortSignal, localAddress = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    const over = (): void => this.hangUp();
    stop?.addEventListener('abort', over, { once: true });
    this.socket
      .on('error', () => {})
      .on('close', () => {
        stop?.removeEventListener('abort', over);
        this.#wake();
      });
    this.socket.on('data', (piece: Buffer) => {
      this.#values.push(piece);
      this.#wake();
    });
  }

  /** The next frame; undefined when it was hung up on. */
  async frame(): Promise<Buffer | undefined> {
    for (;;) {
      const frame = this.#values.next();
      if (frame !== undefined) return Buffer.from(frame);
      if (this.socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** True when it was let in. */
  async shakeHands(key = KEY): Promise<boolean> {
    const helo = await this.frame();
    if (helo === undefined) return false;
    const salt = randomBytes(16);
    const digest = keyDigest(salt, Buffer.from('me'), readHelo(helo).nonce, Buffer.from(key));
    this.socket.write(encodePing(['me', salt, digest, '', '']));
    const pong = await this.frame();
    return pong !== undefined && pong[6] === 0xc3;
  }

  /** Sends, and waits for what comes; false when it was hung up on. */
  async ask(bytes: Uint8Array): Promise<boolean> {
    this.socket.write(bytes);
    return (await this.frame()) !== undefined;
  }

  hangUp(): void {
    this.socket.destroy();
  }
}

/** Sends as many records as it can, one chunk behind the other, until `stop` aborts; what is not acknowledged is sent again, as by an agent. */
export class Honest {
  /** Records that were acknowledged. */
  readonly sent: string[] = [];
  #number = 0;

  async run(port: number, stop: AbortSignal): Promise<void> {
    let chunk: { bytes: Uint8Array; texts: string[] } | undefined;
    while (!stop.aborted) {
      const peer = new Peer(port, undefined, HONEST);
      // A new connection now and then, since that is where others may be in the way.
      let open = await peer.shakeHands();
      for (let n = 0; open && n < 20 && !stop.aborted; n++) {
        chunk ??= this.#chunk();
        open = await peer.ask(chunk.bytes);
        if (!open) break;
        this.sent.push(...chunk.texts);
        chunk = undefined;
      }
      peer.hangUp();
    }
  }

  #chunk(): { bytes: Uint8Array; texts: string[] } {
    const texts = Array.from({ length: 200 }, () => `honest ${this.#number++}`);
    const entries = texts.map((log) => [1_771_497_044, { log, stream: 'stderr' }]);
    return { bytes: encode(['t', entries, { chunk: `honest-${this.#number}` }]), texts };
  }
}

/** Each sends something as soon as it is let in, or hung up on. */
function sending(name: string, what: () => Uint8Array, peers: number): Attack {
  const bytes = what();
  return {
    name,
    async run(port, stop) {
      const one = async (): Promise<void> => {
        while (!stop.aborted) {
          const peer = new Peer(port, stop);
          if (await peer.shakeHands()) while (!stop.aborted && (await peer.ask(bytes))) continue;
          peer.hangUp();
        }
      };
      await Promise.all(Array.from({ length: peers }, one));
    },
  };
}

/** A message of one entry, whose record is this msgpack. */
function message(record: Uint8Array, chunk = 'c'): Buffer {
  const start = Buffer.concat([Buffer.from([0x93]), encode('t'), Buffer.from([0x91, 0x92, 0x01])]);
  return Buffer.concat([start, record, encode({ chunk })]);
}

const zipped = (bytes: Buffer): Uint8Array => encode(['t', gzipSync(bytes), { chunk: 'z', compressed: 'gzip' }]);

export const ATTACKS: readonly Attack[] = [
  sending('arrays nested 200,000 deep', () => message(Buffer.alloc(200_000, 0x91)), 4),
  sending('binary that claims 2 GB', () => Buffer.from('93a174c680000000', 'hex'), 4),
  sending('a map that claims 2^32 members', () => Buffer.from('93a174dfffffffff', 'hex'), 4),
  sending(
    '8 million values in 8 MB',
    () => message(Buffer.concat([Buffer.from('81a161dd007a1200', 'hex'), Buffer.alloc(8_000_000, 0xc0)])),
    2,
  ),
  sending(
    '8 MB of text that JSON writes six times as long',
    () => message(Buffer.concat([Buffer.from('81a161db007a1200', 'hex'), Buffer.alloc(8_000_000, 1)])),
    2,
  ),
  sending('gzip of 128 MB, 1000:1', () => zipped(Buffer.alloc(128 << 20, 0x91)), 4),
  sending('gzip of gzip', () => zipped(gzipSync(Buffer.alloc(64 << 20))), 4),
  {
    name: '1,000 sockets that say nothing',
    async run(port, stop) {
      const one = async (): Promise<void> => {
        while (!stop.aborted) {
          const peer = new Peer(port, stop);
          while ((await peer.frame()) !== undefined) continue;
          await new Promise((resolve) => {
            setTimeout(resolve, 100);
          });
        }
      };
      await Promise.all(Array.from({ length: 1_000 }, one));
    },
  },
  {
    name: '40 messages of 15 MB that never end',
    async run(port, stop) {
      const half = Buffer.concat([Buffer.from('93a174c600f00000', 'hex'), Buffer.alloc(12 << 20)]);
      const one = async (): Promise<void> => {
        while (!stop.aborted) {
          const peer = new Peer(port, stop);
          if (await peer.shakeHands()) await peer.ask(half);
          peer.hangUp();
        }
      };
      await Promise.all(Array.from({ length: 40 }, one));
    },
  },
  {
    name: 'wrong keys at speed',
    async run(port, stop) {
      const one = async (): Promise<void> => {
        while (!stop.aborted) {
          const peer = new Peer(port);
          await peer.shakeHands('a guess');
          peer.hangUp();
        }
      };
      await Promise.all(Array.from({ length: 8 }, one));
    },
  },
];

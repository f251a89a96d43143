import { connect, type Socket } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach } from 'vitest';
import { Counters } from '../../../src/counters.ts';
import type { DecodeOptions } from '../../../src/decode.ts';
import type { Lane } from '../../../src/delivery/lane.ts';
import { Lanes } from '../../../src/delivery/lanes.ts';
import { Values } from '../../../src/msgpack/values.ts';
import { runPipeline, type PipelineResult } from '../../../src/pipeline.ts';
import { Slabs } from '../../../src/slabs.ts';
import { systemClock, type Clock } from '../../../src/clock.ts';
import {
  forwardSource,
  type ForwardSourceContext,
  type ForwardSourceOptions,
} from '../../../src/sources/forward/index.ts';
import type { OwnSource } from '../../../src/sources/source.ts';
import { OPTIONS } from '../../support/decode.ts';
import { KeptSpool } from '../../support/kept-spool.ts';

export interface Started {
  readonly port: number;
  readonly spool: KeptSpool;
  /** What was logged as a warning. */
  readonly warnings: string[];
  /** Resolves when it has ended. */
  readonly stop: () => Promise<PipelineResult>;
}

export interface Given extends Partial<ForwardSourceContext> {
  readonly spool?: KeptSpool;
  readonly clock?: Clock;
  readonly decode?: Partial<DecodeOptions>;
}

const started: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) await each.stop();
});

/** A source on a free port, with a spool behind it. */
export async function start(options: ForwardSourceOptions = {}, given: Given = {}): Promise<Started> {
  const { spool = new KeptSpool(), clock = systemClock, decode = {}, ...context } = given;
  const warnings: string[] = [];
  let listening: (address: string) => void = () => {};
  const address = new Promise<string>((resolve) => {
    listening = resolve;
  });
  const log: ForwardSourceContext['log'] = (severity, message) => {
    if (severity !== 'info') warnings.push(message);
  };
  const source = forwardSource(
    'forward:test',
    { listen: '127.0.0.1:0', ...options },
    { log, clock, listening, ...context },
  );
  const stop = runs(source, { spool, clock, decode });
  const port = Number((await address).split(':').at(-1));
  return { port, spool, warnings, stop };
}

/** Runs a source, and gives what stops it; the grace period is so long that nothing but its own end ends it. */
export function runs(
  source: OwnSource,
  { spool, clock, decode = {} }: Required<Pick<Given, 'spool' | 'clock'>> & Pick<Given, 'decode'>,
): () => Promise<PipelineResult> {
  const stop = new AbortController();
  const none = { run: async () => {}, pending: () => 0, sink: { name: 'none' } } as unknown as Lane;
  const result = runPipeline(
    {
      sources: [source],
      decode: { ...OPTIONS, ...decode },
      spool,
      lanes: new Lanes(),
      deadLetters: none,
      counters: new Counters(new Registry(), () => spool.usage()),
      clock,
      grace_ms: 600_000,
      slabs: new Slabs(),
    },
    stop.signal,
  );
  const end = (): Promise<PipelineResult> => {
    stop.abort();
    return result;
  };
  started.push({ stop: end });
  return end;
}

/** A client that says what it is told to, and keeps what it hears. */
export class Client {
  readonly socket: Socket;
  readonly frames: Buffer[] = [];
  readonly closed: Promise<void>;
  #changed: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    started.push({ stop: () => this.socket.destroy() });
    const values = new Values(1 << 24);
    this.socket.on('data', (piece: Buffer) => {
      values.push(piece);
      for (let next = values.next(); next !== undefined; next = values.next()) this.frames.push(Buffer.from(next));
      this.#changed();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('error', () => {}).once('close', () => resolve());
    });
    void this.closed.then(() => this.#changed());
    this.socket.once('end', () => this.socket.end());
  }

  /** Resolves when so many frames have come; rejects when it is hung up on before. */
  async heard(count: number): Promise<readonly Buffer[]> {
    while (this.frames.length < count) {
      if (this.socket.destroyed) throw new Error(`hung up on after ${this.frames.length} of ${count} frames`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.frames;
  }
}

/** Resolves when it is so. */
export async function until(is: () => boolean): Promise<void> {
  for (const begun = performance.now(); !is();) {
    if (performance.now() - begun > 20_000) throw new Error('that is not so after 20 s');
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

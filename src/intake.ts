import type { Registry } from 'prom-client';
import { Appends, type Appending, type UnderWay } from './appends.ts';
import type { Batch, Position } from './batch.ts';
import type { Clock } from './clock.ts';
import type { Counters, ReadCounts } from './counters.ts';
import { Decoder, type DecodeOptions, type Decoded, type Start } from './decode.ts';
import type { PipelineOptions } from './pipeline.ts';
import type { Reading } from './reading.ts';
import type { Committed } from './spool/spool.ts';
import { Tools } from './tools.ts';

/** The way into the spool, for a source that reads by itself. */
export class Intake {
  readonly #options: PipelineOptions;
  readonly #reading: Reading;

  constructor(options: PipelineOptions, reading: Reading) {
    this.#options = options;
    this.#reading = reading;
  }

  get counters(): Counters {
    return this.#options.counters;
  }

  /** True while the spool has no room, and appends wait. */
  get full(): boolean {
    return this.#options.spool.usage().full;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** How lines are read from now on: another object when the pipeline has become another one. */
  get decode(): DecodeOptions {
    return this.#reading.decode;
  }

  /** Where metrics are kept. */
  get registry(): Registry {
    return this.#options.counters.registry;
  }

  /** True when nothing is appended any more. */
  get over(): boolean {
    return this.#reading.over;
  }

  /** Where the sources stood at the last committed record, by name. */
  get positions(): ReadonlyMap<string, Position> {
    return this.#options.spool.positions;
  }

  /** The source that reads that file, if it is another one; else it is this one's until it is given up. */
  claim(path: string, source: string): string | undefined {
    const { claims } = this.#reading;
    const by = claims.get(path);
    if (by !== undefined && by !== source) return by;
    claims.set(path, source);
    return undefined;
  }

  giveUp(path: string, source: string): void {
    if (this.#reading.claims.get(path) === source) this.#reading.claims.delete(path);
  }

  /** What a source remembers, as far as it is committed. */
  state(source: string): ReadonlyMap<string, string> {
    return this.#options.spool.state(source);
  }

  /** True when that request of the source was committed within the last hour. */
  seen(source: string, request: string): boolean {
    return this.#options.spool.seen(source, request);
  }

  /** What decoders of many logs share, for lines as they are read now. */
  tools(): Tools {
    return new Tools(this.decode, this.clock, this.#options.slabs);
  }

  /** A decoder of the lines of a source, as they are read now; as they were, when its tools are older. */
  decoder(source: Decoded, start?: Start, tools = this.tools()): Decoder {
    return new Decoder(source, tools.options, this.clock, this.#options.slabs, start, undefined, tools);
  }

  /** The batches of a source on their way into the spool, in order. `decoded`: up to where it was decoded. */
  appends(source: Appending, decoded: () => number, under_way?: UnderWay): Appends {
    return new Appends(source, decoded, this.#options, this.#reading, under_way);
  }

  /** Appends one batch. Resolves when it is committed, and waits while the spool is full; rejects when the spool cannot go on, or takes nothing any more. */
  async append(batch: Batch, counts: ReadCounts): Promise<Committed> {
    this.#options.counters.add(batch.source, counts);
    if (this.#reading.over) throw new Error('reading has ended');
    try {
      return await this.#options.spool.append(batch);
    } catch (error) {
      if (!this.#reading.over) this.#reading.fail(error as Error);
      throw error;
    }
  }
}

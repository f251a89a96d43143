import { TABLES, type Table } from './batch.ts';
import type { Clock } from './clock.ts';
import type { DecodeOptions } from './decode.ts';
import { StepTools } from './dialects/flytekit/index.ts';
import { Times } from './dialects/when.ts';
import { Origins } from './origin.ts';
import { Privacy } from './privacy/index.ts';
import { RowsBuilder } from './rows.ts';
import { Slabs } from './slabs.ts';

/**
 * What a decoder works with and does not keep its place in: caches, and memory for rows. That is nearly all of its weight (4.4 MB and 1.7 ms to make), so that the
 * decoders of hundreds of logs share one set. They may: only one of them is at work at a time, and it leaves nothing lying in it.
 */
export class Tools {
  readonly options: DecodeOptions;
  readonly privacy: Privacy;
  readonly origins: Origins;
  readonly times: Times;
  readonly steps: StepTools;
  readonly builders: Readonly<Record<Table, RowsBuilder>>;

  constructor(options: DecodeOptions, clock: Clock, slabs = new Slabs()) {
    this.options = options;
    const { tell } = options;
    this.privacy = new Privacy(options.privacy, tell);
    this.origins = new Origins(options.constants, options.kubernetes);
    this.times = new Times(options.zone, clock, tell);
    this.steps = new StepTools(this.times, this.privacy);
    const made = TABLES.map((table) => [table, new RowsBuilder(table, slabs)]);
    this.builders = Object.fromEntries(made) as Record<Table, RowsBuilder>;
  }
}

import type { Field } from '../fields.ts';
import type { Privacy } from '../privacy/index.ts';
import type { PrivacyOptions } from '../privacy/rules.ts';
import { columnsOf } from './columns.ts';
import { EventReader } from './reader.ts';
import type { Unknown } from './schema.ts';
import type { EventMetricsOptions, EventType } from './type.ts';

/** The event types that a pipeline declares. */
export class EventTypes {
  /** In the order of the file. */
  readonly types: ReadonlyMap<string, EventType>;
  readonly unknown: Unknown;
  /** Their columns of the table `events`, behind its own: what a sink is to be given. */
  readonly columns: readonly Field[];
  /** True when a key of any is to be hashed: then the pipeline's privacy has to have a `hash_key`. */
  readonly hashes: boolean;

  constructor(types: readonly EventType[], unknown: Unknown) {
    this.types = new Map(types.map((type) => [type.name, type]));
    this.unknown = unknown;
    this.columns = columnsOf(types);
    this.hashes = types.some(({ privacy }) => privacy.hash.length > 0);
  }

  /** For one decoder. `options` and `privacy`: the pipeline's. */
  reader(options: PrivacyOptions, privacy: Privacy): EventReader {
    return new EventReader(this.types, this.unknown, options, privacy);
  }

  /** What the Prometheus sink is to be given; undefined when there is nothing to count. */
  get metrics(): EventMetricsOptions | undefined {
    const all = [...this.types.values()];
    const histograms = all.flatMap(({ histogram }) => histogram ?? []);
    const conditions = all.flatMap(({ name, conditions: own }): [string, string[]][] =>
      own.length === 0 ? [] : [[name, own.map((condition) => condition.name)]],
    );
    return histograms.length + conditions.length === 0 ? undefined : { histograms, conditions };
  }
}

import type { Rows, Table, Tuple } from '../batch.ts';
import { labelsAmong, NO_LABELS, tupleOf } from '../tuples.ts';

/** Rows that were read back. Their labels and durations are read out of them when somebody asks. */
export class StoredRows implements Rows {
  readonly table: Table;
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  #labels: readonly string[] = [];
  #observed: Pick<Rows, 'tuple' | 'dictionary' | 'durations'> | undefined;

  constructor(table: Table, bytes: Buffer, ends: Uint32Array) {
    this.table = table;
    this.bytes = bytes;
    this.ends = ends;
  }

  get tuple(): Uint16Array {
    return (this.#observed ??= observed(this, this.#labels)).tuple;
  }

  get dictionary(): readonly Tuple[] {
    return (this.#observed ??= observed(this, this.#labels)).dictionary;
  }

  get durations(): Float64Array {
    return (this.#observed ??= observed(this, this.#labels)).durations;
  }

  labelled(names: readonly string[]): this {
    if (names !== this.#labels) {
      this.#labels = names;
      this.#observed = undefined;
    }
    return this;
  }
}

type Fields = Partial<Tuple> & {
  readonly wall_time_s?: number;
  readonly attributes?: Readonly<Record<string, string>>;
};

function observed({ bytes, ends }: Rows, names: readonly string[]): Pick<Rows, 'tuple' | 'dictionary' | 'durations'> {
  const tuple = new Uint16Array(ends.length);
  const durations = new Float64Array(ends.length);
  const indices = new Map<Tuple, number>();
  for (let row = 0; row < ends.length; row++) {
    const text = bytes.toString('utf8', row === 0 ? 0 : ends[row - 1], ends[row]);
    const fields = JSON.parse(text) as Fields;
    const labels = tupleOf({ ...fields, user: userLabels(fields, names) });
    const index = indices.get(labels) ?? indices.size;
    indices.set(labels, index);
    tuple[row] = index;
    durations[row] = fields.wall_time_s ?? Number.NaN;
  }
  return { tuple, dictionary: [...indices.keys()], durations };
}

function userLabels({ dialect, kind, attributes }: Fields, names: readonly string[]): ReadonlyMap<string, string> {
  if (names.length === 0 || dialect !== 'custom' || kind !== 'step' || attributes === undefined) return NO_LABELS;
  return labelsAmong(new Map(Object.entries(attributes)), names);
}

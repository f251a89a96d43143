import type { EventHistogram } from '../../event-types/type.ts';
import { Histogram } from './histogram.ts';
import type { ParsedRow } from './parsed.ts';
import { bucketBounds, DEFAULT_BUCKETS } from './schema.ts';
import { Series } from './series.ts';

/** Observes one field of one event type. */
export class EventValues extends Histogram {
  /** Of what is observed. */
  readonly event: string;
  readonly #column: string;
  readonly #labels: EventHistogram['labels'];

  constructor({ name, help, event, column, labels, buckets = DEFAULT_BUCKETS }: EventHistogram, max_series: number) {
    const user = labels.map(([label]) => label);
    const width = buckets.length + 2;
    const series = new Series({ labels: [], user, fold: user, max_series, steps: new Set(), width });
    super(name, help, series, bucketBounds(buckets));
    this.event = event;
    this.#column = column;
    this.#labels = labels;
  }

  observe(row: ParsedRow): void {
    const value = row[this.#column];
    // `"Infinity"` and `"NaN"` are texts: with them the sum would never be right again.
    if (typeof value !== 'number') return;
    this.put(
      this.#labels.map(([, column]) => labelText(row[column])),
      value,
    );
  }
}

function labelText(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';
}

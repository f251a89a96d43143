import type { EventHistogram } from '../../event-types/type.ts';
import { tupleOf } from '../../tuples.ts';
import { header, type Sample, type TextMetric, valueText } from './registry.ts';
import { bucketBounds, DEFAULT_BUCKETS } from './schema.ts';
import { Series } from './series.ts';

/** A row of the table `events`, parsed. */
export type EventRow = Readonly<Record<string, unknown>>;

/** Observes one field of one event type. Cells are those of the step histogram: a count for each bucket alone, the last for +Inf, and the sum. */
export class EventValues implements TextMetric {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly series: Series;
  /** Of what is observed. */
  readonly event: string;
  readonly buckets: readonly number[];
  readonly #column: string;
  readonly #labels: EventHistogram['labels'];

  constructor({ name, help, event, column, labels, buckets = DEFAULT_BUCKETS }: EventHistogram, max_series: number) {
    this.name = name;
    this.help = help;
    this.event = event;
    this.buckets = [...bucketBounds(buckets)];
    this.#column = column;
    this.#labels = labels;
    const user = labels.map(([label]) => label);
    this.series = new Series({ labels: [], user, fold: user, max_series, steps: new Set(), width: buckets.length + 2 });
  }

  observe(row: EventRow): void {
    const value = row[this.#column];
    // `"Infinity"` and `"NaN"` are texts: with them the sum would never be right again.
    if (typeof value !== 'number') return;
    const { series, buckets } = this;
    const user = new Map(this.#labels.map(([label, column]) => [label, labelText(row[column])]));
    const place = series.resolve(tupleOf({ user }));
    const bits = series.labels.length;
    const folds = place & ((1 << bits) - 1);
    if (folds !== 0) series.countFolded(folds);
    const first = (place >> bits) * (buckets.length + 2);
    const bucket = buckets.findIndex((bound) => value <= bound);
    series.cells[first + (bucket === -1 ? buckets.length : bucket)]! += 1;
    series.cells[first + buckets.length + 1]! += value;
  }

  text(): string {
    const lines = this.#samples().map(({ metricName, labels, value }) => {
      const pairs = labels === '' ? '' : `{${labels}}`;
      return `\n${metricName}${pairs} ${valueText(value)}`;
    });
    return header(this) + lines.join('');
  }

  async get(): ReturnType<TextMetric['get']> {
    const { name, help, type, series } = this;
    const values = this.#samples().map(({ metricName, le, number, value }): Sample => {
      const labels = Object.fromEntries(series.labels.map((label, n) => [label, series.values[number]![n]!]));
      return { metricName, labels: le === undefined ? labels : { le, ...labels }, value };
    });
    return { name, help, type, aggregator: 'sum', values };
  }

  reset(): void {
    this.series.clear();
  }

  #samples(): { metricName: string; labels: string; le?: string | number; number: number; value: number }[] {
    const { name, series, buckets } = this;
    return series.texts.flatMap((own, number) => {
      const first = number * (buckets.length + 2);
      let count = 0;
      const bars = [...buckets, '+Inf'].map((le, n) => {
        count += series.cells[first + n]!;
        const labels = `le="${le}"${own === '' ? '' : `,${own}`}`;
        return { metricName: `${name}_bucket`, labels, le, number, value: count };
      });
      const sum = series.cells[first + buckets.length + 1]!;
      return [
        ...bars,
        { metricName: `${name}_sum`, labels: own, number, value: sum },
        { metricName: `${name}_count`, labels: own, number, value: count },
      ];
    });
  }
}

function labelText(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';
}

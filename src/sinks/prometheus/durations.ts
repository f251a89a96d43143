import type { Part } from '../sink.ts';
import { header, type Sample, type TextMetric, valueText } from './registry.ts';
import { type Series, UNKNOWN } from './series.ts';

/**
 * The step histogram. `observe` adds a whole part; nothing is allocated for a row.
 *
 * A series' cells are one count for each bucket alone, the last for +Inf, and the sum. They become cumulative when they are rendered.
 */
export class StepDurations implements TextMetric {
  readonly name = 'steptap_step_duration_seconds';
  readonly help = 'Wall time of steps. Label values without room are __other__.';
  readonly type = 'histogram';
  readonly series: Series;
  readonly #bounds: Float64Array;

  /** `series` has the width `bounds.length + 2`. */
  constructor(series: Series, bounds: Float64Array) {
    this.series = series;
    this.#bounds = bounds;
  }

  observe(part: Part): void {
    const { series } = this;
    const bounds = this.#bounds;
    const width = bounds.length + 2;
    const bits = series.labels.length;
    const foldBits = (1 << bits) - 1;
    let { cells } = series;
    let n = -1;
    for (const { rows, from, to } of part.slices) {
      const { durations, tuple, dictionary } = series.user.length === 0 ? rows : (rows.labelled?.(series.user) ?? rows);
      const places = series.begin(dictionary);
      for (let row = from; row < to; row++) {
        n++;
        const seconds = durations[row]!;
        // NaN is a step without a duration. The schema lets no negative or infinite one through; if it did, the sum would never be right again.
        if (!(seconds >= 0 && seconds < Number.POSITIVE_INFINITY) || part.settled?.[n] === 1) continue;
        let place = places[tuple[row]!]!;
        if (place === UNKNOWN) {
          place = series.resolve(dictionary[tuple[row]!]!);
          places[tuple[row]!] = place;
          cells = series.cells;
        }
        if ((place & foldBits) !== 0) series.countFolded(place & foldBits);
        const first = (place >> bits) * width;
        cells[first + bucket(bounds, seconds)]! += 1;
        cells[first + width - 1]! += seconds;
      }
    }
  }

  text(): string {
    const { name, series } = this;
    const { cells } = series;
    const starts = [...this.#bounds, '+Inf'].map((bound) => `\n${name}_bucket{le="${bound}",`);
    let text = header(this);
    let cell = 0;
    for (const labels of series.texts) {
      const end = `${labels}} `;
      let count = 0;
      for (const start of starts) {
        count += cells[cell++]!;
        // Three appends, not one of a sum: half the time for 27,000 lines.
        text += start;
        text += end;
        text += count;
      }
      text += `\n${name}_sum{${end}${valueText(cells[cell++]!)}\n${name}_count{${end}${count}`;
    }
    return text;
  }

  async get(): ReturnType<TextMetric['get']> {
    const { name, help, type, series } = this;
    const values: Sample[] = [];
    for (const [n, own] of series.values.entries()) {
      const labels = Object.fromEntries(series.labels.map((label, l) => [label, own[l]!]));
      const first = n * (this.#bounds.length + 2);
      let count = 0;
      for (const [b, le] of [...this.#bounds, '+Inf'].entries()) {
        count += series.cells[first + b]!;
        values.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: count });
      }
      values.push({ metricName: `${name}_sum`, labels, value: series.cells[first + this.#bounds.length + 1]! });
      values.push({ metricName: `${name}_count`, labels, value: count });
    }
    return { name, help, type, aggregator: 'sum', values };
  }

  reset(): void {
    this.series.clear();
  }
}

/** Index of the first bound that is not below `seconds`; `bounds.length` when there is none. */
function bucket(bounds: Float64Array, seconds: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seconds <= bounds[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

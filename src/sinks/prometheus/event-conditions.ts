import type { EventMetricsOptions } from '../../event-types/type.ts';
import { tupleOf } from '../../tuples.ts';
import { header, type Sample, type TextMetric, valueText } from './registry.ts';
import { Series } from './series.ts';

/** Counts the conditions that hold, from 0 for each that is declared: an alert on one that never held would have nothing to look at. A series' only cell is its count. */
export class EventConditions implements TextMetric {
  readonly name = 'steptap_event_conditions_total';
  readonly help = 'Events of which a condition of their type holds.';
  readonly type = 'counter';
  readonly series: Series;
  readonly #declared: EventMetricsOptions['conditions'];

  constructor(declared: EventMetricsOptions['conditions'], max_series: number) {
    this.#declared = declared;
    const user = ['event', 'condition'];
    this.series = new Series({ labels: [], user, fold: user, max_series, steps: new Set(), width: 1 });
  }

  /** `held`: the column of a row. */
  count(event: string, held: readonly unknown[]): void {
    const { series } = this;
    for (const name of held) {
      const place = this.#place(event, String(name));
      if ((place & 3) !== 0) series.countFolded(place & 3);
      series.cells[place >> 2]! += 1;
    }
  }

  text(): string {
    this.#begin();
    const { name, series } = this;
    return header(this) + series.texts.map((own, n) => `\n${name}{${own}} ${valueText(series.cells[n]!)}`).join('');
  }

  async get(): ReturnType<TextMetric['get']> {
    this.#begin();
    const { name, help, type, series } = this;
    const values: Sample[] = series.values.map(([event = '', condition = ''], n) => ({
      labels: { event, condition },
      value: series.cells[n]!,
    }));
    return { name, help, type, aggregator: 'sum', values };
  }

  reset(): void {
    this.series.clear();
  }

  #begin(): void {
    for (const [event, names] of this.#declared) for (const name of names) this.#place(event, name);
  }

  #place(event: string, condition: string): number {
    return this.series.resolve(
      tupleOf({
        user: new Map([
          ['event', event],
          ['condition', condition],
        ]),
      }),
    );
  }
}

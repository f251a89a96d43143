import type { EventMetricsOptions } from '../../event-types/type.ts';
import { SeriesCounter } from './counter.ts';
import { Series } from './series.ts';

/** Counts the conditions that hold, from 0 for each that is declared: an alert on one that never held would have nothing to look at. */
export class EventConditions extends SeriesCounter {
  readonly #declared: EventMetricsOptions['conditions'];

  constructor(declared: EventMetricsOptions['conditions'], max_series: number) {
    const user = ['event', 'condition'];
    const series = new Series({ labels: [], user, fold: user, max_series, steps: new Set(), width: 1 });
    super('steptap_event_conditions_total', 'Events of which a condition of their type holds.', series);
    this.#declared = declared;
  }

  /** `held`: the column of a row. */
  count(event: string, held: readonly unknown[]): void {
    for (const name of held) this.add([event, String(name)], 1);
  }

  override text(): string {
    this.#begin();
    return super.text();
  }

  override async get(): ReturnType<SeriesCounter['get']> {
    this.#begin();
    return super.get();
  }

  #begin(): void {
    for (const [event, names] of this.#declared) for (const name of names) this.series.place([event, name]);
  }
}

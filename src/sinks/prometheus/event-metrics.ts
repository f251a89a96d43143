import type { EventMetricsOptions } from '../../event-types/type.ts';
import type { Part } from '../sink.ts';
import { EventConditions } from './event-conditions.ts';
import { EventValues } from './event-values.ts';
import { parsedRows, type ParsedRow } from './parsed.ts';
import type { SeriesState } from './series.ts';

/** What a process leaves to the next. Plain JSON. */
export interface EventMetricsState {
  readonly conditions: SeriesState;
  readonly histograms: Readonly<Record<string, { readonly buckets: readonly number[]; readonly series: SeriesState }>>;
}

/** The metrics of declared events. They are read out of the rows: events are few, and a row that was read back from the disk says the same as one that was just made. */
export class EventMetrics {
  readonly #conditions: EventConditions;
  readonly #values: readonly EventValues[];
  readonly #byEvent = new Map<string, EventValues | undefined>();

  constructor({ histograms, conditions }: EventMetricsOptions, max_series: number) {
    this.#conditions = new EventConditions(conditions, max_series);
    this.#values = histograms.map((each) => new EventValues(each, max_series));
    for (const [event] of conditions) this.#byEvent.set(event, undefined);
    for (const each of this.#values) this.#byEvent.set(each.event, each);
  }

  get metrics(): readonly (EventConditions | EventValues)[] {
    return [this.#conditions, ...this.#values];
  }

  /** Counts a part of the table `events`. */
  observe(part: Part): void {
    for (const row of parsedRows(part, ({ kind }) => kind === 'custom')) this.#count(row);
  }

  dump(): EventMetricsState {
    const histograms = this.#values.map(({ name, bounds, series }) => [
      name,
      { buckets: [...bounds], series: series.dump() },
    ]);
    return { conditions: this.#conditions.series.dump(), histograms: Object.fromEntries(histograms) };
  }

  /** To be called before the first `observe`. */
  load({ conditions, histograms }: EventMetricsState): void {
    // Somebody may have looked at them meanwhile.
    this.#conditions.reset();
    this.#conditions.series.load(conditions);
    for (const { name, bounds, series } of this.#values) {
      const before = histograms[name];
      if (before?.buckets.join() === bounds.join()) series.load(before.series);
    }
  }

  #count(row: ParsedRow): void {
    const { event, conditions } = row;
    if (typeof event !== 'string' || !this.#byEvent.has(event)) return;
    if (Array.isArray(conditions)) this.#conditions.count(event, conditions);
    this.#byEvent.get(event)?.observe(row);
  }
}

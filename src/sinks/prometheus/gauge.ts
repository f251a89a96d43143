import type { Clock } from '../../clock.ts';
import { isLabelValue, labelText } from './labels.ts';
import { header, type Sample, type TextMetric, valueText } from './registry.ts';

/** Who has said nothing for so long is not there any more. */
const SILENT_MS = 300_000;

interface Said {
  readonly labels: readonly string[];
  readonly value: number;
  /** When it was so, and when it was told. */
  readonly ts_ms: number;
  readonly told_ms: number;
}

/** What a process leaves to the next. */
export type GaugeState = readonly Said[];

/** What time it is, here and at those who are measured: a file of last week is read in a second, and in it some fall silent. */
export class Moment {
  readonly #clock: Pick<Clock, 'wall'>;
  #newest_ms = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'wall'>) {
    this.#clock = clock;
  }

  /** Something was measured then; a time that is still to come counts as now, so that no clock that is wrong makes all others look silent. */
  said(ts_ms: number): { readonly ts_ms: number; readonly told_ms: number } {
    const told_ms = this.#clock.wall();
    const at = Math.min(ts_ms, told_ms);
    this.#newest_ms = Math.max(this.#newest_ms, at);
    return { ts_ms: at, told_ms };
  }

  isOver({ ts_ms, told_ms }: Pick<Said, 'ts_ms' | 'told_ms'>): boolean {
    const now_ms = this.#clock.wall();
    // A clock that was put back would otherwise have all that is said since look silent, and what was said before it look new.
    if (ts_ms - now_ms > SILENT_MS) return true;
    return now_ms - told_ms > SILENT_MS || Math.min(this.#newest_ms, now_ms) - ts_ms > SILENT_MS;
  }
}

/**
 * What was last measured, by whom. Those who fall silent go away, and then others have room: there are never more than `max_series`. Unlike in a counter, a series cannot be folded:
 * the sum or the mean of what two nodes say is what neither says.
 */
export class Gauge implements TextMetric {
  readonly name: string;
  readonly help: string;
  readonly type = 'gauge';
  readonly labels: readonly string[];
  /** Values that had no room, by label: the first stands for all. */
  readonly folded: Float64Array;
  readonly #moment: Moment;
  readonly #max_series: number;
  /** By its labels in the text format. */
  readonly #said = new Map<string, Said>();

  constructor(name: string, help: string, labels: readonly string[], max_series: number, moment: Moment) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.folded = new Float64Array(labels.length);
    this.#moment = moment;
    this.#max_series = max_series;
  }

  /** What is no number (a device that cannot be asked) leaves the value as it was, and so does what is older. */
  set(labels: readonly string[], value: unknown, ts_ms: number): void {
    if (typeof value !== 'number' || !Number.isFinite(value) || Number.isNaN(ts_ms)) return;
    const said = { labels, value, ...this.#moment.said(ts_ms) };
    const text = labelText(this.labels, labels);
    const before = this.#said.get(text);
    if (before !== undefined && before.ts_ms > said.ts_ms && !this.#moment.isOver(before)) return;
    if (before === undefined && !this.#hasRoom(labels)) this.folded[0]! += 1;
    else this.#said.set(text, said);
  }

  text(): string {
    this.#forget();
    return (
      header(this) + [...this.#said].map(([text, { value }]) => `\n${this.name}{${text}} ${valueText(value)}`).join('')
    );
  }

  async get(): ReturnType<TextMetric['get']> {
    this.#forget();
    const { name, help, type } = this;
    const values: Sample[] = [...this.#said.values()].map(({ labels, value }) => ({
      labels: Object.fromEntries(this.labels.map((label, n) => [label, labels[n]!])),
      value,
    }));
    return { name, help, type, aggregator: 'sum', values };
  }

  reset(): void {
    this.#said.clear();
  }

  dump(): GaugeState {
    return [...this.#said.values()];
  }

  /** Goes on from there, as far as it is not silent since. */
  load(state: GaugeState): void {
    for (const said of state) {
      if (said.labels.length !== this.labels.length || this.#said.size >= this.#max_series) continue;
      this.#said.set(labelText(this.labels, said.labels), said);
    }
  }

  #hasRoom(labels: readonly string[]): boolean {
    if (!labels.every(isLabelValue)) return false;
    if (this.#said.size >= this.#max_series) this.#forget();
    return this.#said.size < this.#max_series;
  }

  #forget(): void {
    for (const [text, said] of this.#said) if (this.#moment.isOver(said)) this.#said.delete(text);
  }
}

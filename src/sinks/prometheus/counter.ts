import { header, type Sample, type TextMetric, valueText } from './registry.ts';
import type { Series } from './series.ts';

/** A counter. A series' only cell is what it has come to. */
export class SeriesCounter implements TextMetric {
  readonly name: string;
  readonly help: string;
  readonly type = 'counter';
  readonly series: Series;

  /** `series` has the width 1. */
  constructor(name: string, help: string, series: Series) {
    this.name = name;
    this.help = help;
    this.series = series;
  }

  /** Of what is rare. A counter does not fall: what is no number from 0 is left out. */
  add(labels: readonly string[], value: unknown): void {
    if (typeof value !== 'number' || !(value >= 0 && value < Number.POSITIVE_INFINITY)) return;
    const { series } = this;
    const n = series.observed(labels);
    series.cells[n]! += value;
  }

  text(): string {
    const { name, series } = this;
    return header(this) + series.texts.map((own, n) => `\n${name}{${own}} ${valueText(series.cells[n]!)}`).join('');
  }

  async get(): ReturnType<TextMetric['get']> {
    const { name, help, type, series } = this;
    const values: Sample[] = series.values.map((own, n) => ({
      labels: Object.fromEntries(series.labels.map((label, l) => [label, own[l]!])),
      value: series.cells[n]!,
    }));
    return { name, help, type, aggregator: 'sum', values };
  }

  reset(): void {
    this.series.clear();
  }
}

import type { Batch } from './batch.ts';

/** Buckets of a sketch are 2 % wide: so exact are its quantiles. From a microsecond to some years. */
const WIDTH = Math.log(1.02);
const LEAST = 1e-6;
const MOST_STEPS = 10_000;

interface StepStats {
  count: number;
  errors: number;
  total: number;
  /** Count by bucket of ln(seconds). */
  readonly sketch: Map<number, number>;
}

/** What a run has seen, for the table at its end. */
export class Summary {
  readonly #steps = new Map<string, StepStats>();
  #logs = 0;
  #captured = 0;
  #deadLetters = 0;

  add(batch: Batch): void {
    for (const { table, tuple, dictionary, durations } of batch.rows) {
      if (table === 'logs') this.#logs += tuple.length;
      else if (table === 'rejections') this.#deadLetters += tuple.length;
      else if (table === 'events') this.#captured += tuple.length;
      else {
        for (let row = 0; row < tuple.length; row++) {
          const { step, status } = dictionary[tuple[row]!]!;
          this.#observe(step, status, durations[row]!);
        }
      }
    }
  }

  /** The table, at most `columns` wide, slowest p95 first. */
  render(columns: number): string {
    const rows = [...this.#steps]
      .map(([step, stats]) => ({ step, ...stats, p50: quantile(stats, 0.5), p95: quantile(stats, 0.95) }))
      .sort((a, b) => b.p95 - a.p95);
    const shown = rows.slice(0, 40);
    const width = Math.max(4, Math.min(columns - 47, Math.max(0, ...shown.map(({ step }) => step.length))));
    const line = (step: string, ...cells: string[]): string =>
      `${clip(step, width).padEnd(width)}${cells.map((cell) => cell.padStart(9)).join('')}`;
    const text = [line('STEP', 'COUNT', 'P50', 'P95', 'TOTAL', 'ERRORS')];
    for (const { step, count, p50, p95, total, errors } of shown) {
      text.push(
        line(step, String(count), duration(p50), duration(p95), duration(total), errors === 0 ? '-' : String(errors)),
      );
    }
    if (rows.length > shown.length) text.push(`... and ${rows.length - shown.length} more steps`);
    const counted = [
      some(this.#logs, 'log event'),
      some(this.#captured, 'captured error'),
      some(this.#deadLetters, 'dead letter'),
    ];
    text.push('', counted.join(', '));
    return text.join('\n');
  }

  #observe(step: string, status: string, seconds: number): void {
    const name = this.#steps.has(step) || this.#steps.size < MOST_STEPS ? step : '(other)';
    let stats = this.#steps.get(name);
    if (stats === undefined) {
      stats = { count: 0, errors: 0, total: 0, sketch: new Map() };
      this.#steps.set(name, stats);
    }
    stats.count += 1;
    if (status === 'error') stats.errors += 1;
    if (Number.isNaN(seconds)) return;
    stats.total += seconds;
    const bucket = Math.ceil(Math.log(Math.max(seconds, LEAST)) / WIDTH);
    stats.sketch.set(bucket, (stats.sketch.get(bucket) ?? 0) + 1);
  }
}

function quantile({ sketch }: StepStats, q: number): number {
  const buckets = [...sketch].sort(([a], [b]) => a - b);
  const all = buckets.reduce((sum, [, count]) => sum + count, 0);
  let below = 0;
  for (const [bucket, count] of buckets) {
    below += count;
    if (below >= q * all) return Math.exp((bucket - 0.5) * WIDTH);
  }
  return 0;
}

/** `12 us`, `3.4 ms`, `1.2 s`, `4m05s`, `3h12m`. */
export function duration(seconds: number): string {
  if (seconds < 0.000_999_5) return `${Math.round(seconds * 1e6)} us`;
  if (seconds < 0.999_5) return `${(seconds * 1e3).toPrecision(3)} ms`;
  if (seconds < 59.95) return `${seconds.toPrecision(3)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}

/** `1 dead letter`, `2 dead letters`. */
function some(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

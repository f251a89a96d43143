import type { Batch } from './batch.ts';
import { columnsOf, plain, type Paint, type Span } from './terminal/paint.ts';
import { clean, number, wrap } from './terminal/text.ts';

/** Buckets of a sketch are 2 % wide: so exact are its quantiles. From a microsecond to some years. */
const WIDTH = Math.log(1.02);
const LEAST = 1e-6;
const MOST_STEPS = 10_000;
/** Lines of the table. */
const MOST_SHOWN = 40;

interface StepStats {
  count: number;
  errors: number;
  total: number;
  most: number;
  /** Count by bucket of ln(seconds). */
  readonly sketch: Map<number, number>;
}

/** What a run has seen, for the table at its end, and for who looks on meanwhile. */
export class Summary {
  /** Steps by status. */
  readonly statuses = new Map<string, number>();
  /** Dead letters by why: the reason, or the sink that refused. */
  readonly letters = new Map<string, number>();
  readonly #steps = new Map<string, StepStats>();
  #logs = 0;
  #captured = 0;

  add({ rows, source }: Batch): void {
    for (const { table, tuple, dictionary, durations } of rows) {
      if (table === 'tasks' || table === 'resources') continue;
      if (table === 'logs') this.#logs += tuple.length;
      else if (table === 'events') this.#captured += tuple.length;
      else {
        // A tuple is of many rows: what is of the tuple is looked up once.
        const counts = new Uint32Array(dictionary.length);
        for (const index of tuple) counts[index]! += 1;
        if (table === 'rejections') {
          dictionary.forEach(({ reason }, index) => add(this.letters, why(reason, source), counts[index]!));
          continue;
        }
        const stats = dictionary.map(({ step, status }, index) =>
          counts[index] === 0 ? undefined : this.#count(step, status, counts[index]!),
        );
        for (let row = 0; row < tuple.length; row++) observe(stats[tuple[row]!]!, durations[row]!);
      }
    }
  }

  /** The table, at most `columns` wide, slowest p95 first, and what else there was. */
  render(columns: number, paint: Paint = plain): string {
    const all = [...this.#steps]
      .map(([step, stats]) => ({ step, ...stats, p50: quantile(stats, 0.5), p95: quantile(stats, 0.95) }))
      .sort((a, b) => b.p95 - a.p95);
    // A step that has failed is never among those left out, unless too many have.
    const chosen = new Set([...all.filter(({ errors }) => errors > 0), ...all].slice(0, MOST_SHOWN));
    const figures: readonly [name: string, of: (step: (typeof all)[number]) => string, least_columns: number][] = [
      ['COUNT', ({ count }) => number(count), 0],
      ['P50', ({ p50 }) => duration(p50), 60],
      ['P95', ({ p95 }) => duration(p95), 0],
      ['MAX', ({ most }) => duration(most), 100],
      ['TOTAL', ({ total }) => duration(total), 60],
      ['ERRORS', ({ errors }) => (errors === 0 ? '-' : number(errors)), 0],
    ];
    const shown = figures.filter(([, , least]) => columns >= least);
    const rows: Span[][] = [['STEP', ...shown.map(([name]) => name)].map((text) => ({ text, colour: 'dim' }))];
    for (const step of all.filter((each) => chosen.has(each))) {
      const cells = shown.map(([name, of]) => ({
        text: of(step),
        colour: name === 'ERRORS' && step.errors > 0 ? ('red' as const) : undefined,
      }));
      rows.push([{ text: step.step }, ...cells]);
    }
    const text = columnsOf(rows, columns, paint);
    if (all.length > chosen.size) text.push(`... and ${number(all.length - chosen.size)} more steps`);
    const letters = [...this.letters].sort(([, a], [, b]) => b - a);
    const sum = letters.reduce((all, [, count]) => all + count, 0);
    const why = letters
      .map(([reason, count]) => (letters.length === 1 ? reason : `${number(count)} ${reason}`))
      .join(', ');
    const counted = [some(this.#logs, 'log event'), some(this.#captured, 'captured error'), some(sum, 'dead letter')];
    text.push('', ...wrap(clean(`${counted.join(', ')}${why === '' ? '' : `: ${why}`}`), columns));
    return text.join('\n');
  }

  #count(step: string, status: string, count: number): StepStats {
    const name = this.#steps.has(step) || this.#steps.size < MOST_STEPS ? step : '(other)';
    let stats = this.#steps.get(name);
    if (stats === undefined) {
      stats = { count: 0, errors: 0, total: 0, most: 0, sketch: new Map() };
      this.#steps.set(name, stats);
    }
    stats.count += count;
    if (status === 'error') stats.errors += count;
    add(this.statuses, status, count);
    return stats;
  }
}

function add(counts: Map<string, number>, key: string, count: number): void {
  if (count > 0) counts.set(key, (counts.get(key) ?? 0) + count);
}

/** A lane says which sink it is of. */
function why(reason: string, source: string): string {
  if (reason !== 'sink' && reason !== 'dropped') return reason;
  return `${reason === 'sink' ? 'refused by' : 'given up for'} ${source.slice(source.indexOf(':') + 1)}`;
}

function observe(stats: StepStats, seconds: number): void {
  if (Number.isNaN(seconds)) return;
  stats.total += seconds;
  if (seconds > stats.most) stats.most = seconds;
  const bucket = Math.ceil(Math.log(Math.max(seconds, LEAST)) / WIDTH);
  stats.sketch.set(bucket, (stats.sketch.get(bucket) ?? 0) + 1);
}

function quantile({ sketch, most }: StepStats, q: number): number {
  const buckets = [...sketch].sort(([a], [b]) => a - b);
  const all = buckets.reduce((sum, [, count]) => sum + count, 0);
  let below = 0;
  for (const [bucket, count] of buckets) {
    below += count;
    if (below >= q * all) return Math.min(Math.exp((bucket - 0.5) * WIDTH), most);
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

/** `1 dead letter`, `2 dead letters`. */
function some(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

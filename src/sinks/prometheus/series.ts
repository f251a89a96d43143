import type { Tuple } from '../../batch.ts';
import { type Label, labelText, isLabelValue, OTHER } from './labels.ts';

/** In the array that `begin` gives out: this tuple was not looked up yet. */
export const UNKNOWN = -1;

/** The share of `max_series` that label sets as they were written may take; the rest is for folded ones. */
const UNFOLDED_SHARE = 0.9;

/** Of a place, which is a number of 32 bits with a sign. */
const PLACE_BITS = 31;

export interface SeriesOptions {
  /** Where tuples are resolved, fields of theirs. */
  readonly labels: readonly string[];
  /** Labels that a user named; they stand behind the others. */
  readonly user?: readonly string[];
  /** Which labels become `__other__` when there is no more room, the most unbounded first. After these, all. */
  readonly fold: readonly string[];
  readonly max_series: number;
  /** Allowed values of `step`; empty for any. */
  readonly steps: ReadonlySet<string>;
  /** Numbers kept for each series. */
  readonly width: number;
}

/** Series of a metric with so many labels that can be told apart. */
export function mostSeries(labels: number): number {
  return 2 ** (PLACE_BITS - labels);
}

/** What a process leaves to the next. */
export interface SeriesState {
  readonly labels: readonly string[];
  readonly width: number;
  readonly values: readonly (readonly string[])[];
  /** All cells, series after series; null for a sum that has become infinite, which JSON cannot say. */
  readonly cells: readonly (number | null)[];
}

/**
 * The series of one metric: which tuple belongs to which, and their numbers, in one flat array.
 *
 * There are never more than `max_series`. A label set that finds no room is folded, one label more at a time, until it meets a
 * series that is there or may be made; the one with every label `__other__` always may. Each fold has a little more room than the one before,
 * so that a million step names still leave the tasks apart, and a million tasks the projects. A series once made stays, as
 * a counter must, and so does what was decided for a tuple.
 *
 * What `resolve` answers is a *place*: the series' number, shifted by one bit for each label, and those bits say which labels were folded.
 */
export class Series {
  readonly labels: readonly string[];
  /** Those of them that a user named. */
  readonly user: readonly string[];
  /** `cells[series * width + n]`. Replaced when it grows: read it again after `resolve`. */
  cells: Float64Array;
  /** Of each series, its labels in the text format. */
  readonly texts: string[] = [];
  /** Of each series, its label values in the order of `labels`. */
  readonly values: (readonly string[])[] = [];
  /** Observations whose label was folded, by label. */
  readonly folded: Float64Array;
  readonly #options: SeriesOptions;
  readonly #byText = new Map<string, number>();
  /** By the tuple's number: the tuple that was resolved last under it, and its place. Numbers are small, so this is bounded. */
  #tuples: (Tuple | undefined)[] = [];
  #places = new Int32Array(1024);
  #scratch = new Int32Array(256);

  constructor(options: SeriesOptions) {
    this.#options = options;
    const { labels, user = [], max_series } = options;
    this.user = user;
    this.labels = [...labels, ...user];
    const most = mostSeries(this.labels.length);
    if (max_series > most) {
      throw new Error(
        `prometheus: max_series is ${max_series}; with ${this.labels.length} labels at most ${most} can be told apart`,
      );
    }
    this.cells = new Float64Array(16 * options.width);
    this.folded = new Float64Array(this.labels.length);
  }

  get size(): number {
    return this.texts.length;
  }

  /** An array to keep the places of one dictionary's tuples in, all UNKNOWN; the same array every time. */
  begin(dictionary: readonly Tuple[]): Int32Array {
    if (this.#scratch.length < dictionary.length) this.#scratch = new Int32Array(dictionary.length * 2);
    return this.#scratch.fill(UNKNOWN, 0, dictionary.length);
  }

  /** The place of a tuple; makes its series when it is the first. */
  resolve(tuple: Tuple): number {
    if (this.#tuples[tuple.id] === tuple) return this.#places[tuple.id]!;
    const own = this.#options.labels.map((label) => tuple[label as Label]);
    const place = this.place([...own, ...this.user.map((label) => tuple.user.get(label) ?? '')]);
    this.#remember(tuple, place);
    return place;
  }

  /** The number of the series with these labels, in their order, for one observation that is counted when it had to be folded. */
  observed(written: readonly string[]): number {
    const bits = this.labels.length;
    const place = this.place(written);
    this.countFolded(place & ((1 << bits) - 1));
    return place >> bits;
  }

  /** The place of these labels, in their order; makes their series when they are the first. */
  place(written: readonly string[]): number {
    const { labels } = this;
    const values = written.map((value, n) => (this.#allows(labels[n]!, value) ? value : OTHER));
    let series: number | undefined;
    for (let folds = 0; series === undefined; folds++) {
      this.#fold(values, folds);
      const text = labelText(labels, values);
      series = this.#byText.get(text) ?? (this.size < this.#room(folds) ? this.#add(text, values) : undefined);
    }
    let place = series;
    for (let n = 0; n < labels.length; n++) place = place * 2 + (values[n] === written[n] ? 0 : 1);
    return place;
  }

  /** Counts what `resolve` had to fold, for one observation. `folds` are the low bits of its place. */
  countFolded(folds: number): void {
    const last = this.labels.length - 1;
    for (let n = 0; n <= last; n++) if ((folds >> (last - n)) & 1) this.folded[n]! += 1;
  }

  /** Every series with its numbers, as JSON. */
  dump(): SeriesState {
    const { width } = this.#options;
    const cells = Array.from(this.cells.subarray(0, this.size * width), (cell) =>
      cell === Number.POSITIVE_INFINITY ? null : cell,
    );
    return { labels: this.labels, width, values: this.values, cells };
  }

  /** Goes on from what was dumped; false when that has other labels, another width or more series than there may be, and then nothing changes. To be called before the first `resolve`. */
  load({ labels, width, values, cells }: SeriesState): boolean {
    const { width: own, max_series } = this.#options;
    if (labels.join() !== this.labels.join() || width !== own || values.length > max_series) return false;
    for (const each of values) this.#add(labelText(labels, each), each);
    for (const [n, cell] of cells.entries()) this.cells[n] = cell ?? Number.POSITIVE_INFINITY;
    return true;
  }

  clear(): void {
    this.texts.length = 0;
    this.values.length = 0;
    this.#byText.clear();
    this.#tuples = [];
    this.cells.fill(0);
  }

  #remember(tuple: Tuple, place: number): void {
    const { id } = tuple;
    if (id >= this.#places.length) {
      const larger = new Int32Array(Math.max(id + 1, this.#places.length * 2));
      larger.set(this.#places);
      this.#places = larger;
    }
    while (this.#tuples.length < id) this.#tuples.push(undefined);
    this.#tuples[id] = tuple;
    this.#places[id] = place;
  }

  #allows(label: string, value: string): boolean {
    const { steps } = this.#options;
    return isLabelValue(value) && (label !== 'step' || steps.size === 0 || steps.has(value));
  }

  /** Makes `__other__` of the first `folds` labels of `fold`, or of all when there are no more. */
  #fold(values: string[], folds: number): void {
    const { fold } = this.#options;
    if (folds > fold.length) values.fill(OTHER);
    else for (let n = 0; n < folds; n++) values[this.labels.indexOf(fold[n]!)] = OTHER;
  }

  /** How many series there may be before one that was folded `folds` times is made. */
  #room(folds: number): number {
    const { fold, max_series } = this.#options;
    if (folds > fold.length) return max_series;
    const share = UNFOLDED_SHARE + ((1 - UNFOLDED_SHARE) * folds) / fold.length;
    return Math.floor(max_series * share) - 1;
  }

  #add(text: string, values: readonly string[]): number {
    const series = this.size;
    this.#byText.set(text, series);
    this.texts.push(text);
    this.values.push([...values]);
    if (this.size * this.#options.width > this.cells.length) {
      const larger = new Float64Array(this.cells.length * 2);
      larger.set(this.cells);
      this.cells = larger;
    }
    return series;
  }
}

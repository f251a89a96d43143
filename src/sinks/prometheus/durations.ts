import type { Part } from '../sink.ts';
import { bucket, Histogram } from './histogram.ts';
import { type Series, UNKNOWN } from './series.ts';

/** The step histogram. `observe` adds a whole part; nothing is allocated for a row. */
export class StepDurations extends Histogram {
  constructor(series: Series, bounds: Float64Array) {
    const help = 'Wall time of steps. Label values without room are __other__.';
    super('steptap_step_duration_seconds', help, series, bounds);
  }

  observe(part: Part): void {
    const { series, bounds } = this;
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
}

import type { Part } from '../sink.ts';
import { SeriesCounter } from './counter.ts';
import { type Series, UNKNOWN } from './series.ts';

/** In place of a place: an event that is no error. */
const NO_ERROR = -2;

/** Counts the events of kind `error`: each is one failure, however many steps it ended. */
export class TaskErrors extends SeriesCounter {
  constructor(series: Series) {
    const help = 'Captured errors of tasks: one per failure, not per step. Label values without room are __other__.';
    super('steptap_task_errors_total', help, series);
  }

  count(part: Part): void {
    const { series } = this;
    const bits = series.labels.length;
    const foldBits = (1 << bits) - 1;
    let n = -1;
    for (const { rows, from, to } of part.slices) {
      const { tuple, dictionary } = rows;
      const places = series.begin(dictionary);
      for (let row = from; row < to; row++) {
        n++;
        if (part.settled?.[n] === 1) continue;
        let place = places[tuple[row]!]!;
        if (place === UNKNOWN) {
          const labels = dictionary[tuple[row]!]!;
          place = labels.kind === 'error' ? series.resolve(labels) : NO_ERROR;
          places[tuple[row]!] = place;
        }
        if (place === NO_ERROR) continue;
        if ((place & foldBits) !== 0) series.countFolded(place & foldBits);
        series.cells[place >> bits]! += 1;
      }
    }
  }
}

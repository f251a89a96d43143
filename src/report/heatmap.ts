import { edgesBetween } from './histogram.ts';

/** How many tasks of each stage were at work in each bin of time, on average: a row's sum times the width of a bin is what the stage took in all. */
export interface Heatmap {
  readonly edges: readonly number[];
  readonly rows: readonly (readonly number[])[];
}

interface Bar {
  readonly stage: number;
  readonly started: number | undefined;
  readonly end: number | undefined;
}

const BINS = 40;

/** Of the tasks that have both a start and an end; a stage beyond `stages` is left out. */
export function heatmap(tasks: readonly Bar[], stages: number): Heatmap {
  const times = tasks.flatMap(({ started, end }) => [started, end]).filter((time) => time !== undefined);
  const low = times.reduce((min, time) => Math.min(min, time), Number.POSITIVE_INFINITY);
  const high = times.reduce((max, time) => Math.max(max, time), Number.NEGATIVE_INFINITY);
  const rows = Array.from({ length: stages }, () => Array<number>(BINS).fill(0));
  if (!(high > low)) return { edges: [], rows: [] };
  const edges = edgesBetween(low, high, BINS);
  const width = (high - low) / BINS;
  for (const { stage, started, end } of tasks) {
    const row = rows[stage];
    if (row === undefined || started === undefined || end === undefined) continue;
    for (let bin = 0; bin < BINS; bin++) {
      const overlap = Math.min(end, edges[bin + 1]!) - Math.max(started, edges[bin]!);
      if (overlap > 0) row[bin]! += overlap / width;
    }
  }
  return { edges, rows };
}

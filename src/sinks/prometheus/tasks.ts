import type { Part } from '../sink.ts';
import { Histogram } from './histogram.ts';
import { labelOf, parsedRows } from './parsed.ts';
import { Series, type SeriesState } from './series.ts';

const OWN = ['dialect', 'project', 'domain', 'task'] as const;
/** A share. Most of what matters is below a half. */
const RATIOS = Float64Array.of(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1);

export interface TasksState {
  readonly phases: SeriesState;
  readonly overhead: SeriesState;
  /** Bounds of the second; those of the first are those of the steps. */
  readonly ratios: readonly number[];
}

/** Where the time of tasks went: each task once, when it is first known to be complete; corrections later are for the stores. */
export class TaskHistograms {
  readonly phases: Histogram;
  readonly overhead: Histogram;

  constructor(bounds: Float64Array, max_series: number) {
    const of = (labels: readonly string[], width: number): Series =>
      new Series({ labels, fold: ['task'], max_series, steps: new Set(), width });
    this.phases = new Histogram(
      'steptap_task_phase_seconds',
      'Time of tasks by what it went into, each task once. Label values without room are __other__.',
      of(['phase', ...OWN, 'status'], bounds.length + 2),
      bounds,
    );
    this.overhead = new Histogram(
      'steptap_task_overhead_ratio',
      'Share of tasks that was not user code, each task once. Label values without room are __other__.',
      of(OWN, RATIOS.length + 2),
      RATIOS,
    );
  }

  observe(part: Part): void {
    for (const row of parsedRows(part)) {
      if (row['revision'] !== 1 || row['incomplete_lifecycle'] === true) continue;
      const own = OWN.map((name) => labelOf(row, name));
      for (const [phase, seconds] of Object.entries(row['phases'] ?? {}))
        this.phases.add([phase, ...own, labelOf(row, 'status')], seconds);
      this.overhead.add(own, row['overhead_ratio']);
    }
  }

  dump(): TasksState {
    return { phases: this.phases.series.dump(), overhead: this.overhead.series.dump(), ratios: [...RATIOS] };
  }

  /** `same`: the bounds of the steps are those that they were. */
  load({ phases, overhead, ratios }: TasksState, same: boolean): void {
    if (same) this.phases.series.load(phases);
    if (ratios.join() === RATIOS.join()) this.overhead.series.load(overhead);
  }
}

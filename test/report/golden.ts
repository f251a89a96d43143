import { expect } from 'vitest';
import type { Panels } from '../../src/report/panels.ts';

/** To the last digits that the golden values have. */
export function close(
  actual: readonly (number | undefined)[] | undefined,
  expected: readonly number[],
  digits = 6,
): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, n) => expect(actual![n], `value ${n}`).toBeCloseTo(value, digits));
}

const zeros = (count: number): number[] => Array<number>(count).fill(0);
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
export const steps = ({ concurrency }: Panels): number[][] =>
  concurrency.map(({ at_s, workflows }) => [at_s, workflows]);

/** The numbers of the sample session, computed with upstream's own functions. */
export function expectUpstream(panels: Panels): void {
  expect(panels.stages).toEqual(['load', 'preprocess', 'train', 'evaluate']);
  const { gantt, stage_execution_ms, throughput, latency_ms, heatmap } = panels;

  expect(gantt.map(({ workflow_id, created_s, end_s }) => [workflow_id, created_s, end_s])).toEqual([
    ['exp-0', 0.02, 0.76],
    ['exp-1', 0.021, 0.572],
    ['wf-3a1b9c2d', 0.022, undefined],
  ]);
  const waits = gantt.map(({ bars }) => bars.map(({ wait }) => wait![1] - wait![0]));
  close(waits[0], [0.02, 0.1899, 0.3298, 0.6497]);
  close(waits[1], [0.021, 0.2409, 0.4008]);
  close(waits[2], [0.023]);
  expect(gantt[0]!.bars.map(({ stage, run }) => [stage, ...run!])).toEqual([
    ['load', 0.04, 0.19],
    ['preprocess', 0.21, 0.33],
    ['train', 0.35, 0.65],
    ['evaluate', 0.67, 0.76],
  ]);
  // A canceled task has no end, and draws no bar.
  expect(gantt[2]!.bars).toEqual([{ task_id: 'task.000009', stage: 'load', wait: [0.022, 0.045], run: undefined }]);

  close(stage_execution_ms[0]!.ms, [150, 120, 300, 90]);
  close(stage_execution_ms[1]!.ms, [200, 140, 150, 0]);
  close(stage_execution_ms[2]!.ms, [0, 0, 0, 0]);

  expect(steps(panels)).toEqual([
    [0.02, 1],
    [0.021, 2],
    [0.022, 3],
    [0.572, 2],
    [0.76, 1],
    [0.76, 0],
  ]);

  expect(throughput.counts).toEqual([1, ...zeros(10), 1]);
  close(
    [throughput.edges[0], throughput.edges.at(-1), throughput.edges[1]! - throughput.edges[0]!],
    [0.572, 0.76, 0.0156667],
    7,
  );

  expect(latency_ms.counts).toEqual([1, 0, 0, 0, 0, 1]);
  close(latency_ms.edges, [551, 582.5, 614, 645.5, 677, 708.5, 740]);
  close([latency_ms.mean, latency_ms.median], [645.5, 645.5]);

  const { edges, rows } = heatmap;
  close([edges[0], edges.at(-1), edges[1]! - edges[0]!], [0.04, 0.76, 0.018]);
  close(
    rows.map((row) => sum(row) * 0.018),
    [0.35, 0.26, 0.45, 0.09],
  );
  const [load, preprocess, train, evaluate] = rows;
  close(load, [1.889, ...Array<number>(7).fill(2), 1.333, 1, 1, 0.222, ...zeros(28)], 3);
  close(preprocess, [...zeros(9), 0.556, 1, 1, 1.667, 2, 2, 2, 1.111, 1, 1, 1, 0.111, ...zeros(19)], 3);
  const both = Array<number>(7).fill(2);
  close(train, [...zeros(17), 0.778, 1, 1, 1, 1.778, ...both, 1.556, 1, 1, 1, 0.889, ...zeros(6)], 3);
  close(evaluate, [...zeros(35), 1, 1, 1, 1, 1], 3);
}

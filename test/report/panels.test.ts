import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogram } from '../../src/report/histogram.ts';
import { panelsOf, type Panels, type PanelTask } from '../../src/report/panels.ts';
import { RhapsodyTasks } from '../../src/tasks/rhapsody.ts';
import { rowsOf, T0_US, Table } from '../tasks/rhapsody-rows.ts';

const SAMPLE = fileURLToPath(new URL('../fixtures/sample-session.telemetry.jsonl', import.meta.url));

function tasks(): PanelTask[] {
  const table = new Table(() => new RhapsodyTasks({ idle_s: 3600 })).take(...rowsOf(SAMPLE));
  return [...table.rows.values()].map(({ ts_us, fields }) => ({
    session_id: String(fields['session_id']),
    task_id: String(fields['task_id']),
    task: String(fields['task']),
    workflow_id: String(fields['workflow_id']),
    status: String(fields['status']),
    created: fields['ts_created'] as number | undefined,
    started: fields['ts_started'] as number | undefined,
    ts: ts_us,
  }));
}

/** To the last digits that the golden values have. */
function close(actual: readonly (number | undefined)[] | undefined, expected: readonly number[], digits = 6): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, n) => expect(actual![n], `value ${n}`).toBeCloseTo(value, digits));
}

const zeros = (count: number): number[] => Array<number>(count).fill(0);
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const steps = ({ concurrency }: Panels): number[][] => concurrency.map(({ at_s, workflows }) => [at_s, workflows]);

test("in upstream's mode the six panels of the sample session have upstream's numbers", () => {
  const panels = panelsOf(tasks(), 'upstream', T0_US);
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
});

test('in our own mode a canceled task ends, and a stage is what it is called', () => {
  const panels = panelsOf(tasks(), 'own', T0_US);
  expect(steps(panels)).toEqual([
    [0.02, 1],
    [0.021, 2],
    [0.022, 3],
    [0.545, 2],
    [0.572, 1],
    [0.76, 0],
  ]);
  expect(panels.stages).toEqual(['load', 'preprocess', 'train', 'evaluate', 'probe']);
  close(panels.stage_execution_ms[2]!.ms, [0, 0, 0, 0, 500]);
  close(panels.latency_ms.edges.slice(0, 1), [523]);
  expect(panels.throughput.counts.reduce((all, count) => all + count)).toBe(3);
  expect(panels.gantt[2]).toMatchObject({ end_s: 0.545, bars: [{ stage: 'probe', run: [0.045, 0.545] }] });
});

test('without tasks, with one, and with tasks that never ran no panel has a number that is none', () => {
  const [first] = tasks();
  const never = { ...first!, status: 'unknown', started: undefined };
  for (const mode of ['own', 'upstream'] as const) {
    for (const rows of [[], [first!], [never], [{ ...first!, workflow_id: '' }], [{ ...first!, created: undefined }]]) {
      expect(JSON.stringify(panelsOf(rows, mode))).not.toMatch(/null|NaN|Infinity/);
    }
  }
});

test('the same ids in another session are another workflow, but for upstream', () => {
  const again = tasks().map((task) => ({ ...task, session_id: 'another' }));
  const both = [...tasks(), ...again];
  expect(panelsOf(both, 'own').gantt).toHaveLength(6);
  expect(panelsOf(both, 'upstream', T0_US)).toEqual(panelsOf(tasks(), 'upstream', T0_US));
});

test('a histogram counts every value once, in the bin whose edges are around it', () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 40 }), (list, bins) => {
      const { counts, edges } = histogram(list, bins);
      expect(edges).toHaveLength(bins + 1);
      counts.forEach((count, bin) => {
        const last = bin === bins - 1;
        const inside = list.filter(
          (value) => value >= edges[bin]! && (last ? value <= edges[bin + 1]! : value < edges[bin + 1]!),
        );
        expect(count).toBe(inside.length);
      });
    }),
  );
  expect(histogram([3, 3], 2)).toEqual({ counts: [0, 2], edges: [2.5, 3, 3.5] });
});

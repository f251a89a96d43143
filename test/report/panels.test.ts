import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogram } from '../../src/report/histogram.ts';
import { panelsOf, type PanelTask } from '../../src/report/panels.ts';
import { RhapsodyTasks } from '../../src/tasks/rhapsody.ts';
import { close, expectUpstream, steps } from './golden.ts';
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

test("in upstream's mode the six panels of the sample session have upstream's numbers", () => {
  const panels = panelsOf(tasks(), 'upstream', T0_US);
  expect(panels.mode).toBe('upstream');
  expectUpstream(panels);
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

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogram } from '../../src/report/histogram.ts';
import { panelsOf, type PanelTask } from '../../src/report/panels.ts';
import { panelsText } from '../../src/report/panels-text.ts';
import { RhapsodyTasks } from '../../src/tasks/rhapsody.ts';
import { plain } from '../../src/terminal/paint.ts';
import { width } from '../../src/terminal/text.ts';
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

test('the panels are drawn in 80 columns', () => {
  const panels = panelsOf(tasks(), 'own', T0_US);
  expect(panelsText(panels, 80, plain)).toEqual([
    'WORKFLOWS  20.0 ms to 760 ms',
    'exp-0        .11111111111111..22222222222.3333333333333333333333333333.44444444',
    'exp-1        .1111111111111111111.2222222222222..3333333333333',
    'wf-3a1b9c2d  ..555555555555555555555555555555555555555555555',
    '. waiting   1 load   2 preprocess   3 train   4 evaluate   5 probe',
    'at work      3333333333333333333333333333333333333333333333332211111111111111111',
    '',
    'EXECUTION      load  preprocess   train  evaluate   probe',
    'exp-0        150 ms      120 ms  300 ms   90.0 ms       -',
    'exp-1        200 ms      140 ms  150 ms         -       -',
    'wf-3a1b9c2d       -           -       -         -  500 ms',
    '',
    'WORKFLOWS ENDED  545 ms to 760 ms',
    '             1  1  0  0  0  0  0  0  0  0  0  1',
    'FROM CREATION TO END  523 ms to 740 ms, mean 605 ms, median 551 ms',
    '             2  0  0  0  0  1',
    '',
    'TASKS AT WORK  40.0 ms to 760 ms, @ is 2.0',
    'load         @@@@@@@@*++.',
    'preprocess            -++%@@@++++.',
    'train                         =+++%@@@@@@@#+++=',
    'evaluate                                        +++++',
    'probe        =+++++++++++++++++++++++++++.',
  ]);
  for (const columns of [40, 80, 160]) {
    for (const mode of ['own', 'upstream'] as const) {
      const lines = panelsText(
        panelsOf([...tasks(), { ...tasks()[0]!, workflow_id: 'w'.repeat(200) }], mode),
        columns,
        plain,
      );
      expect(lines.filter((line) => width(line) > columns)).toEqual([]);
    }
  }
  expect(panelsText(panelsOf([], 'own'), 80, plain)).toEqual([
    'none of its tasks belongs to a workflow: there are no panels',
  ]);
});

test('the same ids in another session are another workflow, but for upstream', () => {
  const again = tasks().map((task) => ({ ...task, session_id: 'another' }));
  const both = [...tasks(), ...again];
  expect(panelsOf(both, 'own').gantt).toHaveLength(6);
  expect(panelsOf(both, 'upstream', T0_US)).toEqual(panelsOf(tasks(), 'upstream', T0_US));
});

test('a histogram counts every value once, in the bin whose edges are around it', () => {
  // Times are microseconds.
  const time = fc.integer({ min: -1e12, max: 1e12 }).map((us) => us / 1e6);
  const values = fc.array(time, { minLength: 1, maxLength: 50 });
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

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { executionsOf } from '../../src/report/executions.ts';
import { readingsOf } from '../../src/report/nodes.ts';
import { sessionsOf, type Counts } from '../../src/report/sessions.ts';
import { tablesIn } from '../../src/report/store.ts';
import { sessionJson } from '../../src/report/summary-json.ts';
import { executionsText, sessionText } from '../../src/report/summary-text.ts';
import { RhapsodyTasks } from '../../src/tasks/rhapsody.ts';
import { taskKey } from '../../src/tasks/row.ts';
import { plain } from '../../src/terminal/paint.ts';
import { width } from '../../src/terminal/text.ts';
import { event, rowsOf, T0_US, Table } from '../tasks/rhapsody-rows.ts';
import { RealStore } from './store.ts';

const SAMPLE = fileURLToPath(new URL('../fixtures/sample-session.telemetry.jsonl', import.meta.url));
const SESSION = 'asyncflow.session.5e0a17c4';

let store: RealStore;
let has: Set<string>;

const reading = (at_s: number, session_id: string, values: Readonly<Record<string, unknown>>) => ({
  ...event('ResourceUpdate', '', at_s, {
    session_id,
    kind: 'resource',
    backend: 'concurrent',
    node_id: 'n1',
    ...values,
  }),
  table: 'resources' as const,
});

beforeAll(async () => {
  store = await RealStore.open();
  has = await tablesIn(store, ['tasks', 'events', 'resources', 'elsewhere']);
  const of = (session_id: string) => ({ session_id });
  // Two tasks are open: one runs, one waits. A third was canceled before it began, which upstream takes for one running less.
  const live = [
    event('SessionStarted', '', 10, of('live')),
    event('TaskCreated', 'task.000001', 11, { ...of('live'), workflow_id: 'wf' }),
    event('TaskSubmitted', 'task.000001', 12, of('live')),
    event('TaskStarted', 'task.000001', 13, of('live')),
    event('TaskCreated', 'task.000002', 13, { ...of('live'), workflow_id: 'wf' }),
    event('TaskCreated', 'task.000003', 13, of('live')),
    event('TaskCanceled', 'task.000003', 14, of('live')),
    event('TaskCreated', 'block.000004', 14, of('live')),
  ];
  // There was no room for the two of them, and nothing says that their session is over.
  const full = [
    event('TaskCreated', 'task.000001', 1, of('full')),
    event('TaskCreated', 'task.000002', 1, of('full')),
    event('TaskStarted', 'task.000002', 2, of('full')),
  ];
  const rows = [...rowsOf(SAMPLE), ...live, ...full];
  const table = new Table(() => new RhapsodyTasks({ idle_s: 3600 })).take(...rows).block((tasks, kept) => {
    for (const key of kept.keys('rhapsody open 4 full ')) tasks.evicted(key, 0, kept);
  });
  await store.events([
    ...rows,
    reading(0.1, SESSION, { resource_scope: 'per_node', cpu_percent: 3.5, memory_percent: 28.1, disk_read_bytes: 0 }),
    reading(0.5, SESSION, {
      resource_scope: 'per_node',
      cpu_percent: 78.3,
      memory_percent: 41.2,
      disk_read_bytes: 4096,
    }),
    reading(0.6, SESSION, { resource_scope: 'per_gpu', gpu_id: 0, gpu_percent: 66 }),
  ]);
  // What was said before of each task, in the same store, counts for nothing.
  const before = [...table.rows.values()].map((record) => ({
    ...record,
    fields: { ...record.fields, status: 'running', end_reason: 'input_ended' },
  }));
  await store.tasks(before, 1);
  await store.tasks([...table.rows.values()], 2);
  const flyte = (node_id: string, fields: Readonly<Record<string, unknown>>) => ({
    task_key: taskKey('flytekit', node_id),
    ts_us: T0_US + 30e6,
    revision: 1,
    fields: {
      dialect: 'flytekit',
      event: 'task',
      kind: 'task',
      execution_id: 'f9a',
      workflow: 'wf.train',
      node_id,
      ...fields,
    },
  });
  await store.tasks(
    [
      flyte('n0', { status: 'success', ts_start: T0_US + 20e6, wall_time_s: 10, overhead_ratio: 0.1 }),
      flyte('n1', { status: 'error', ts_start: T0_US, wall_time_s: 30, overhead_ratio: 0.5 }),
    ],
    1,
  );
}, 60_000);

afterAll(() => store.close());

const counts = (given: Partial<Counts>): Counts => ({
  tasks: 0,
  submitted: 0,
  completed: 0,
  failed: 0,
  canceled: 0,
  never_run: 0,
  unknown: 0,
  running: 0,
  waiting: 0,
  ...given,
});

test('the figures of the sample session are those of its tasks, and durations those of execution', async () => {
  expect([...has]).toEqual(['tasks', 'events', 'resources']);
  const [session] = await sessionsOf(store, has, { session: SESSION });
  expect(session).toMatchObject({ session_id: SESSION, ended: true, duration_seconds: 1, started_us: T0_US });
  expect(session!.tasks).toEqual(
    counts({ tasks: 9, submitted: 8, completed: 6, failed: 1, canceled: 1, never_run: 1 }),
  );
  // 150 + 120 + 300 + 90 + 200 + 140 + 150 + 500 ms, in upstream's own summary the length of spans instead.
  const total = 1.65;
  expect(session!.duration!.total_seconds).toBeCloseTo(total, 9);
  expect(session!.duration!.mean_seconds).toBeCloseTo(total / 8, 9);
  const { min_seconds, max_seconds, p50_seconds, p95_seconds } = session!.duration!;
  expect([min_seconds, max_seconds, p50_seconds]).toEqual([0.09, 0.5, 0.15]);
  expect(p95_seconds).toBeCloseTo(0.43, 9);
  expect(session!.phases['execution']).toBeCloseTo(total, 9);
  expect(session!.phases['scheduler_gap']).toBeCloseTo(6 * 0.008, 9);
  expect(session!.workflows.map(({ workflow_id, tasks }) => [workflow_id, tasks])).toEqual([
    ['exp-0', counts({ tasks: 4, submitted: 4, completed: 4 })],
    ['exp-1', counts({ tasks: 4, submitted: 3, completed: 2, failed: 1, never_run: 1 })],
    ['wf-3a1b9c2d', counts({ tasks: 1, submitted: 1, canceled: 1 })],
  ]);
  const [only] = await sessionsOf(store, has, { workflow: 'exp-1' });
  expect(only!.tasks).toEqual(session!.workflows[1]!.tasks);
});

test('trap 12: what runs in a session that goes on is counted, and is never less than none', async () => {
  const [session] = await sessionsOf(store, has, {});
  expect(session).toMatchObject({ session_id: 'live', ended: false, duration_seconds: 4 });
  expect(session!.tasks).toEqual(counts({ tasks: 3, submitted: 1, canceled: 1, running: 1, waiting: 1 }));
  expect(session!.workflows.map(({ workflow_id, tasks }) => [workflow_id, tasks.running, tasks.waiting])).toEqual([
    ['', 0, 0],
    ['wf', 1, 1],
  ]);
});

test('a task that was told for want of room may still run, and wait', async () => {
  const [session] = await sessionsOf(store, has, { session: 'full' });
  expect(session!.tasks).toEqual(counts({ tasks: 2, running: 1, waiting: 1 }));
});

test("trap 13: a node's last reading stays what it was, whatever a device of it tells later", async () => {
  const [session] = await sessionsOf(store, has, { session: SESSION });
  const json = sessionJson(session!, await readingsOf(store, [SESSION]));
  expect(json).toMatchObject({
    session_id: SESSION,
    duration_seconds: 1,
    tasks: { submitted: 8, completed: 6, failed: 1, canceled: 1, running: 0, never_run: 1 },
    duration: { total_seconds: 1.65, mean_seconds: 0.20625, min_seconds: 0.09, max_seconds: 0.5 },
  });
  expect(json['resources']).toEqual({
    'concurrent/n1': {
      backend: 'concurrent',
      node_id: 'n1',
      cpu_percent: 78.3,
      memory_percent: 41.2,
      gpu_percent: null,
      disk_read_bytes: 4096,
      disk_write_bytes: null,
      net_sent_bytes: null,
      net_recv_bytes: null,
    },
  });
  expect(json['devices']).toEqual({
    'concurrent/n1/0': { backend: 'concurrent', node_id: 'n1', gpu_id: 0, gpu_percent: 66 },
  });
});

test('executions of Flyte stand beside sessions, with the overhead of their tasks by their length', async () => {
  const executions = await executionsOf(store);
  expect(executions).toEqual([
    {
      dialect: 'flytekit',
      execution_id: 'f9a',
      workflow: 'wf.train',
      tasks: 2,
      failed: 1,
      duration_seconds: 30,
      task_seconds: 40,
      overhead_ratio: 0.4,
    },
  ]);
  expect(executionsText(executions, 80, plain).join('\n')).toBe(
    [
      'EXECUTION  TASKS  FAILED    TOOK  IN TASKS  OVERHEAD',
      'f9a            2       1  30.0 s    40.0 s    40.0 %',
    ].join('\n'),
  );
});

test('a session is told in a table that fits 80 columns, and 160', async () => {
  const [session] = await sessionsOf(store, has, { session: SESSION });
  const readings = await readingsOf(store, [SESSION]);
  const narrow = sessionText(session!, readings, 80, plain);
  expect(narrow).toEqual([
    'asyncflow.session.5e0a17c4  1.00 s  ended',
    'WORKFLOW     TASKS  DONE  FAILED  CANCELED  NEVER RUN     P50   TOTAL',
    'exp-0            4     4       -         -          -  135 ms  660 ms',
    'exp-1            4     2       1         -          1  150 ms  490 ms',
    'wf-3a1b9c2d      1     -       -         1          -  500 ms  500 ms',
    'all              9     6       1         1          1  150 ms  1.65 s',
    '',
    'WHERE THE TIME WENT               TIME   SHARE',
    'waiting for other tasks         2.31 s  56.6 %',
    '  of it, after they had ended  48.0 ms   1.2 %',
    'queued                         44.9 ms   1.1 %',
    'starting                       79.0 ms   1.9 %',
    'executing                       1.65 s  40.4 %',
    '',
    'NODE                    CPU  MEMORY     GPU',
    'concurrent/n1        78.3 %  41.2 %       -',
    'concurrent/n1 gpu 0       -       -  66.0 %',
  ]);
  const wide = sessionText(session!, readings, 160, plain);
  expect(wide[1]).toBe(
    'WORKFLOW     TASKS  DONE  FAILED  CANCELED  NEVER RUN     P50     P95    MEAN      MIN     MAX   TOTAL',
  );
  const many = {
    ...session!,
    workflows: Array.from({ length: 100 }, (_, n) => ({ ...session!.workflows[0]!, workflow_id: 'w'.repeat(100 + n) })),
  };
  for (const columns of [40, 80, 160]) {
    const lines = sessionText(many, readings, columns, plain);
    expect(lines.filter((line) => width(line) > columns)).toEqual([]);
    expect(lines).toContain('... and 70 more workflows');
  }
});

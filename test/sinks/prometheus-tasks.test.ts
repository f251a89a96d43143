import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPrometheusSink, type PrometheusOptions, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { partOf, type RowObject } from '../support/rows.ts';
import { taskRow } from '../support/tasks.ts';

const signal = new AbortController().signal;
const START = Date.parse('2026-11-21T10:00:00Z');

/** A sink at a time that is told, and what a scrape shows of one metric: its lines without its name. */
function create(options: Partial<PrometheusOptions> = {}) {
  const registry = new StepRegistry();
  const at = { now: START };
  const clock = { wall: () => at.now };
  const sink = createPrometheusSink({
    registry,
    workflow_label: false,
    steps: [],
    buckets: [1, 10],
    clock,
    ...options,
  });
  const shown = async (name: string): Promise<string[]> => {
    const lines = (await registry.metrics()).split('\n');
    return lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name}_`))
      .map((line) => line.slice(name.length));
  };
  const tasks = (...rows: RowObject[]) => sink.send(partOf(rows, { table: 'tasks' }), signal);
  const nodes = (...rows: RowObject[]) => sink.send(partOf(rows, { table: 'resources' }), signal);
  return { registry, sink, at, shown, tasks, nodes };
}

const PHASE = 'steptap_task_phase_seconds';
const RATIO = 'steptap_task_overhead_ratio';
const FIT = 'dialect="flytekit",project="ml",domain="production",task="workflows.train.fit"';

test('a task is observed once: when it is complete for the first time, and by each of its phases', async () => {
  const { shown, tasks } = create();
  await tasks(taskRow(1, 0), taskRow(1, 1), taskRow(1, 2), taskRow(1, 3), taskRow(2, 1));
  const phases = await shown(PHASE);
  expect(phases).toContain(`_bucket{le="1",phase="execution",${FIT},status="success"} 0`);
  expect(phases).toContain(`_bucket{le="10",phase="execution",${FIT},status="success"} 2`);
  expect(phases).toContain(`_sum{phase="execution",${FIT},status="success"} 18`);
  expect(phases.filter((line) => line.startsWith('_count'))).toHaveLength(5);
  const ratio = await shown(RATIO);
  expect(ratio).toContain(`_bucket{le="0.2",${FIT}} 0`);
  expect(ratio).toContain(`_bucket{le="0.3",${FIT}} 2`);
  expect(ratio).toContain(`_sum{${FIT}} 0.5`);
  expect(ratio.at(0)).toMatch(/^_bucket\{le="0\.01",/);
  expect(ratio.at(-3)).toMatch(/^_bucket\{le="\+Inf",/);
});

test('a task with an incomplete lifecycle, or without a figure, is kept out of the histograms', async () => {
  const { shown, tasks } = create();
  await tasks(
    taskRow(1, 1, { incomplete_lifecycle: true }),
    taskRow(2, 1, { phases: undefined, overhead_ratio: undefined }),
  );
  expect(await shown(PHASE)).toEqual([]);
  await tasks(taskRow(3, 1, { phases: { queue: -1, execution: '9', other: 2 }, overhead_ratio: null }));
  expect((await shown(PHASE)).filter((line) => line.startsWith('_count'))).toEqual([
    `_count{phase="other",${FIT},status="success"} 1`,
  ]);
  expect(await shown(RATIO)).toEqual([]);
});

test('however many tasks there are, the series are bounded, and what was folded is counted', async () => {
  const { shown, tasks, registry } = create({ max_series: 20 });
  for (let n = 0; n < 100; n++) await tasks(taskRow(n, 1, { task: `task ${n}`, project: `project ${n}` }));
  for (const name of [PHASE, RATIO]) {
    const counts = (await shown(name)).filter((line) => line.startsWith('_count'));
    expect(counts.length).toBeLessThanOrEqual(20);
    const all = counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    expect(all).toBe(name === PHASE ? 500 : 100);
  }
  expect(await registry.metrics()).toMatch(
    /steptap_label_overflow_total\{metric="steptap_task_overhead_ratio",label="task"\} [1-9]/,
  );
});

/** Of a node, or with a `gpu_id` of a device; so many seconds after the start. */
function resource(seconds: number, fields: Readonly<Record<string, unknown>>): RowObject {
  const ts = new Date(START + seconds * 1000).toISOString().replace('Z', '000Z');
  const resource_scope = 'gpu_id' in fields ? 'per_gpu' : 'per_node';
  const row = {
    ts,
    dialect: 'rhapsody',
    event: 'ResourceUpdate',
    kind: 'resource',
    node_id: 'a01',
    backend: 'dask',
    resource_scope,
  };
  return { ...row, ...fields };
}

test('a node and its devices are told apart, and a figure that is absent or no number leaves the last one', async () => {
  const { shown, nodes } = create();
  await nodes(
    resource(0, { cpu_percent: 3.5, memory_percent: 28.1, gpu_percent: 87 }),
    resource(0, { gpu_id: 0, gpu_percent: 87 }),
    resource(0, { gpu_id: 1, gpu_percent: 0 }),
    resource(5, { cpu_percent: 120, memory_percent: null }),
    resource(5, { gpu_id: 0, gpu_percent: 'NaN' }),
    resource(3, { cpu_percent: 4, node_id: 'b02', backend: undefined }),
  );
  expect(await shown('steptap_node_cpu_percent')).toEqual([
    '{node="a01",backend="dask"} 120',
    '{node="b02",backend=""} 4',
  ]);
  expect(await shown('steptap_node_memory_percent')).toEqual(['{node="a01",backend="dask"} 28.1']);
  expect(await shown('steptap_node_gpu_percent')).toEqual(['{node="a01",backend="dask"} 87']);
  expect(await shown('steptap_gpu_percent')).toEqual(['{node="a01",gpu="0"} 87', '{node="a01",gpu="1"} 0']);
});

test('bytes since the poll before are added up once, and a counter never falls', async () => {
  const { shown, nodes } = create();
  const read = 'disk_read_bytes';
  await nodes(
    resource(0, { [read]: 0 }),
    resource(5, { [read]: 8192.5, net_sent_bytes: 10 }),
    resource(10, { [read]: null }),
  );
  await nodes(resource(15, { [read]: -4096 }), resource(20, { [read]: 7.5 }), resource(20, { gpu_id: 0, [read]: 99 }));
  expect(await shown('steptap_node_disk_read_bytes_total')).toEqual(['{node="a01",backend="dask"} 8200']);
  expect(await shown('steptap_node_net_sent_bytes_total')).toEqual(['{node="a01",backend="dask"} 10']);
  expect(await shown('steptap_node_net_recv_bytes_total')).toEqual([]);
});

test('an older figure that comes late is not shown', async () => {
  const { shown, nodes, at } = create();
  at.now += 60_000;
  await nodes(resource(10, { cpu_percent: 50 }), resource(9, { cpu_percent: 1 }));
  expect(await shown('steptap_node_cpu_percent')).toEqual(['{node="a01",backend="dask"} 50']);
});

test('a node that says nothing for five minutes goes away, by the clock or by what others say; its bytes stay', async () => {
  const { shown, nodes, at } = create();
  at.now = START + 3_600_000;
  await nodes(resource(0, { cpu_percent: 1, net_sent_bytes: 7 }), resource(200, { node_id: 'b02', cpu_percent: 2 }));
  expect(await shown('steptap_node_cpu_percent')).toHaveLength(2);
  // A file of an hour ago: five minutes pass in it.
  await nodes(resource(301, { node_id: 'b02', cpu_percent: 3 }));
  expect(await shown('steptap_node_cpu_percent')).toEqual(['{node="b02",backend="dask"} 3']);
  at.now += 300_001;
  expect(await shown('steptap_node_cpu_percent')).toEqual([]);
  expect(await shown('steptap_node_net_sent_bytes_total')).toEqual(['{node="a01",backend="dask"} 7']);
});

test('a node with a clock that is far ahead does not silence the others, nor itself once it is right', async () => {
  const { shown, nodes } = create();
  await nodes(resource(0, { cpu_percent: 1 }), resource(1e9, { node_id: 'b02', cpu_percent: 2 }));
  expect(await shown('steptap_node_cpu_percent')).toHaveLength(2);
  await nodes(resource(0, { node_id: 'b02', cpu_percent: 3 }));
  expect(await shown('steptap_node_cpu_percent')).toContain('{node="b02",backend="dask"} 3');
});

test('more nodes than there may be series are not shown, and are counted; room that is left is taken', async () => {
  const { shown, nodes, at, registry } = create({ max_series: 2 });
  const all = (value: number) =>
    nodes(...['a', 'b', 'c'].map((node_id) => resource(0, { node_id, cpu_percent: value })));
  await all(1);
  expect(await shown('steptap_node_cpu_percent')).toEqual([
    '{node="a",backend="dask"} 1',
    '{node="b",backend="dask"} 1',
  ]);
  const folded = 'steptap_label_overflow_total{metric="steptap_node_cpu_percent",label="node"} 1';
  expect(await registry.metrics()).toContain(folded);
  at.now += 300_001;
  await nodes(resource(400, { node_id: 'c', cpu_percent: 5 }));
  expect(await shown('steptap_node_cpu_percent')).toEqual(['{node="c",backend="dask"} 5']);
});

test('over a restart everything goes on, and what an older steptap has kept is taken', async () => {
  const before = create();
  await before.tasks(taskRow(1, 1));
  await before.nodes(resource(0, { cpu_percent: 1, disk_read_bytes: 5 }), resource(0, { gpu_id: 0, gpu_percent: 2 }));
  const state = JSON.parse(JSON.stringify(before.sink.dump())) as ReturnType<typeof before.sink.dump>;
  const after = create();
  after.sink.load(state);
  expect(await after.registry.metrics()).toBe(await before.registry.metrics());
  await after.tasks(taskRow(2, 1));
  await after.nodes(resource(5, { disk_read_bytes: 3 }));
  expect(await after.shown(RATIO)).toContain(`_count{${FIT}} 2`);
  expect(await after.shown('steptap_node_disk_read_bytes_total')).toEqual(['{node="a01",backend="dask"} 8']);
  // Long after, what a node said last is not what it says now.
  const late = create();
  late.at.now += 400_000;
  late.sink.load(state);
  expect(await late.shown('steptap_node_cpu_percent')).toEqual([]);
  const { buckets, durations, errors } = state;
  const old = create();
  old.sink.load({ buckets, durations, errors });
  expect(await old.shown(PHASE)).toEqual([]);
  await old.tasks(taskRow(1, 1));
  expect(await old.shown(RATIO)).toContain(`_count{${FIT}} 1`);
});

test('the text of a scrape is what prom-client makes of the same metrics', async () => {
  const text = fc.constantFrom('a', 'b"\n\\', 'ü');
  const row = fc.record({
    node_id: text,
    cpu_percent: fc.double(),
    backend: text,
    net_sent_bytes: fc.double({ min: 0, max: 1e9 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 9, minLength: 1 }), async (rows) => {
      const { registry, nodes, tasks } = create();
      await nodes(...rows.map((fields, n) => resource(n, fields)));
      await tasks(taskRow(1, 1));
      for (const name of ['steptap_node_cpu_percent', 'steptap_node_net_sent_bytes_total', PHASE, RATIO]) {
        const own = (await registry.metrics()).split('\n\n').find((family) => family.startsWith(`# HELP ${name} `));
        expect(`${own?.trimEnd()}`).toBe((await registry.getSingleMetricAsString(name)).trimEnd());
      }
    }),
    { numRuns: 50 },
  );
});

test('a clock that is put back by hours neither hides what is said since nor keeps what was said before', async () => {
  const { shown, nodes, at } = create();
  const said = (node_id: string, cpu_percent: number): RowObject => ({
    ts: new Date(at.now).toISOString(),
    node_id,
    backend: 'b',
    resource_scope: 'per_node',
    cpu_percent,
  });
  await nodes(said('n1', 10), said('n2', 20));
  at.now -= 3 * 3_600_000;
  await nodes(said('n1', 30));
  expect(await shown('steptap_node_cpu_percent')).toEqual(['{node="n1",backend="b"} 30']);
});

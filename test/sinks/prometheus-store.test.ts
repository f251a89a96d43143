import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { Batch } from '../../src/batch.ts';
import type { CursorStore, LaneCursor } from '../../src/delivery/cursor.ts';
import {
  createPrometheusSink,
  StepRegistry,
  type PrometheusOptions,
  type PrometheusSink,
} from '../../src/sinks/prometheus/index.ts';
import { openPrometheusStore } from '../../src/sinks/prometheus/store.ts';
import { NOTHING } from '../../src/spool/mark.ts';
import { World, type Given, type Living } from '../delivery/lives.ts';
import { never, Plant } from '../delivery/scripted.ts';
import { FakeClock, HastyClock, settled } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { Fuse, mortalFs, type Death } from '../support/mortal.ts';
import { rowsOf, stepRow } from '../support/rows.ts';
import { taskRow } from '../support/tasks.ts';
import { steps, tuple } from './prometheus-parts.ts';

interface Metrics {
  readonly sink: PrometheusSink;
  /** The families that are kept, as a scrape shows them. */
  readonly text: () => Promise<string>;
}

function metrics(options: Partial<PrometheusOptions> = {}): Metrics {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [], buckets: [0.1, 1, 10], ...options });
  const names = [
    'steptap_step_duration_seconds',
    'steptap_task_errors_total',
    'steptap_task_phase_seconds',
    'steptap_task_overhead_ratio',
    'steptap_node_net_recv_bytes_total',
  ];
  return {
    sink,
    text: async () => (await Promise.all(names.map((name) => registry.getSingleMetricAsString(name)))).join('\n'),
  };
}

/** Steps are written as `name seconds`, errors as their class. Each step is a task, too, and so many bytes that a node has received. */
function batch(own: readonly string[], errors: readonly string[] = []): Batch {
  const timed = own.map((text) => {
    const [step, wall_time_s] = text.split(' ');
    return stepRow({ step, wall_time_s: Number(wall_time_s) });
  });
  const failed = errors.map((root_error_type) =>
    stepRow({ kind: 'error', step: '', error_kind: 'user', root_error_type }),
  );
  const tasks = timed.map(({ step, wall_time_s }, n) =>
    taskRow(n, 1, { task: step, phases: { execution: wall_time_s }, overhead_ratio: Math.min(Number(wall_time_s), 1) }),
  );
  const nodes = timed.map(({ ts, wall_time_s }) => ({ ts, node_id: 'a01', net_recv_bytes: wall_time_s }));
  const rows = [
    ...(timed.length === 0 ? [] : [rowsOf('steps', timed), rowsOf('resources', nodes), rowsOf('tasks', tasks)]),
    ...(failed.length === 0 ? [] : [rowsOf('events', failed)]),
  ];
  return { source: 'test', position: {}, lines: own.length + errors.length, rows };
}

const seconds = fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.constantFrom(0.1, 0.2, 0.3, 1e308, 5e-324));
const given: fc.Arbitrary<Given[]> = fc.array(
  fc.record({
    steps: fc.array(
      fc.tuple(fc.constantFrom('a', 'b', 'c"\n'), seconds).map(([name, time]) => `${name} ${time}`),
      { maxLength: 6 },
    ),
    logs: fc.array(fc.constantFrom('ValueError', 'OOM'), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
);
const kills = fc.array(
  fc.record({ at: fc.integer({ min: 1, max: 24 }), how: fc.constantFrom<Death>('before', 'after', 'torn', 'stop') }),
  { maxLength: 6 },
);

/** A process with this sink; undefined when it is killed before it gets to it. */
async function start(world: World, fuse: Fuse, sink: PrometheusSink): Promise<Living | undefined> {
  const life = await world.begin(fuse, { memory_bytes: 2000 });
  life?.spool.reader('keeper');
  const said = (_severity: string, message: string): void => void world.said.push(message);
  const opening = life && openPrometheusStore(mortalFs(fuse), world.directory, sink, new HastyClock(), said);
  const store = await Promise.race([opening, fuse.died]);
  return store === undefined ? undefined : life!.lane(sink, { store });
}

test('over any number of kills, counts and sums are those of a process that was never killed, bit for bit', async () => {
  let killed = 0;
  await fc.assert(
    fc.asyncProperty(given, kills, async (records, deaths) => {
      const whole = metrics();
      const signal = never;
      for (const { steps: own, logs } of records) {
        for (const rows of batch(own, logs).rows) {
          const slice = { record: undefined as never, rows, base: 0, from: 0, to: rows.ends.length };
          const part = { table: rows.table, day: '', token: '', slices: [slice], count: slice.to, in_doubt: false };
          await whole.sink.send(part, signal);
        }
      }
      await World.run(async (world) => {
        for (const { at, how } of deaths) {
          const fuse = new Fuse(at, how);
          const living = await start(world, fuse, metrics().sink);
          if ((await living?.life.live(records, batch)) ?? true) killed += 1;
          await fuse.over();
        }
        const last = metrics();
        const living = (await start(world, new Fuse(), last.sink))!;
        await living.life.live(records, batch);
        expect(await last.text()).toBe(await whole.text());
        const { accepted, stored } = living.totals();
        expect(stored).toBe(accepted);
      });
    }),
    { numRuns: 100, endOnFailure: true },
  );
  expect(killed).toBeGreaterThan(40);
});

const DIRECTORY = '/state';
const FIT = steps({ tuple: tuple(), seconds: 0.5 });

/** A store in memory, with a clock that stands still. */
interface Desk {
  readonly fs: MemoryFs;
  readonly clock: FakeClock;
  readonly said: string[];
  readonly kept: number[];
  open(sink: PrometheusSink): Promise<CursorStore>;
}

let desk: Desk;
beforeEach(() => {
  const [fs, clock, said] = [new MemoryFs(), new FakeClock(), [] as string[]];
  const open = async (sink: PrometheusSink): Promise<CursorStore> =>
    openPrometheusStore(fs, DIRECTORY, sink, clock, (_severity, message) => said.push(message));
  desk = { fs, clock, said, kept: [], open };
});

const cursorAt = (settled_to: number, block = false): LaneCursor => ({
  settled: settled_to,
  at: NOTHING,
  base: NOTHING,
  since: 1,
  totals: { accepted: 0, stored: settled_to, dead_lettered: 0, lost: 0, dropped: 0 },
  ...(block ? { block: { from: settled_to + 1, to: settled_to + 1, head: 0, end: NOTHING, parts: [] } } : {}),
});
const kept = (seq: number): void => void desk.kept.push(seq);

test('a snapshot is taken of the first block, then at most every 5 seconds, a last one at the end, and none when nothing has happened', async () => {
  const { fs, clock } = desk;
  const plant = new Plant(clock);
  const { sink } = metrics();
  const rig = plant.lane(sink, { cursor: await desk.open(sink) });
  const running = rig.lane.run(never);
  const took: number[] = [];
  for (let second = 0; second < 60; second++) {
    for (let n = 0; n < 10; n++) {
      if (second < 30) await plant.spool.append(batch(['a 1'], []));
      await clock.advance(100);
      while (took.length < fs.writes.length) took.push(clock.monotonic());
    }
  }
  expect(took[0]).toBeLessThan(1_000);
  expect(took).toHaveLength(7);
  // Each was seen up to 100 ms after it was taken.
  expect(took.every((ms, n) => n === 0 || ms - took[n - 1]! >= 4_900)).toBe(true);
  await plant.spool.append(batch(['a 1'], []));
  await settled();
  plant.spool.end();
  await running;
  expect(fs.writes).toHaveLength(8);
  const { found } = await desk.open(metrics().sink);
  expect(found).toMatchObject({ settled: 301, totals: { stored: 3 * 301 } });
});

test('no snapshot is taken while a block is half counted, however long that takes', async () => {
  const { fs, clock } = desk;
  const { sink } = metrics();
  const store = await desk.open(sink);
  await store.save(cursorAt(1, true), true, kept);
  await sink.send(FIT, never);
  await clock.advance(60_000);
  expect([fs.writes.length, desk.kept]).toEqual([0, []]);
  await store.save(cursorAt(2), false, kept);
  expect([fs.writes.length, desk.kept]).toEqual([1, [2]]);
  // Nor when the process is stopped there: the next one counts the block again, on the counts before it.
  await store.save(cursorAt(2, true), true, kept);
  await sink.send(FIT, never);
  await store.close();
  const next = metrics();
  const { found } = await desk.open(next.sink);
  expect(found).toMatchObject({ settled: 2 });
  expect(await next.text()).toContain(
    '_count{step="fit",status="success",project="ml",domain="production",task="train.fit"} 1\n',
  );
});

/** What a process leaves that counted one step and one error. */
async function left(): Promise<void> {
  const { sink } = metrics();
  const store = await desk.open(sink);
  await sink.send(FIT, never);
  const failed = batch([], ['OOM']).rows[0]!;
  const slice = { record: undefined as never, rows: failed, base: 0, from: 0, to: 1 };
  await sink.send({ table: 'events', day: '', token: '', slices: [slice], count: 1, in_doubt: false }, never);
  await store.save(cursorAt(1), false, kept);
  await store.close();
}

test('other buckets start the histogram anew, and the errors and the cursor go on', async () => {
  await left();
  const next = metrics({ buckets: [1, 2] });
  const { found } = await desk.open(next.sink);
  expect(found).toMatchObject({ settled: 1 });
  expect(await next.text()).not.toContain('_count');
  expect(await next.text()).toMatch(/steptap_task_errors_total\{.*root_error_type="OOM".*\} 1/);
});

test.each([
  ['another label', { workflow_label: true }, '_count'],
  ['fewer series than there are', { max_series: 1 }, '_count'],
] as const)('%s starts a metric anew where it does not fit, and only there', async (_what, options, gone) => {
  const { sink } = metrics();
  const store = await desk.open(sink);
  await sink.send(FIT, never);
  await sink.send(steps({ tuple: tuple({ step: 'load' }), seconds: 1 }), never);
  await store.save(cursorAt(1), false, kept);
  await store.close();
  const next = metrics(options);
  await desk.open(next.sink);
  expect(await next.text()).not.toContain(gone);
  await next.sink.send(FIT, never);
  expect(await next.text()).toMatch(/_count\{.*\} 1\n/);
});

test('a sum that has become infinite stays so', async () => {
  const { sink, text } = metrics();
  const store = await desk.open(sink);
  await sink.send(steps({ tuple: tuple(), seconds: 1e308 }, { tuple: tuple(), seconds: 1e308 }), never);
  await store.save(cursorAt(1), false, kept);
  await store.close();
  const next = metrics();
  await desk.open(next.sink);
  expect(await text()).toContain('} +Inf\n');
  expect(await next.text()).toBe(await text());
});

test('of two snapshots the newer one that is whole counts; when none is, the counts start anew and somebody is told', async () => {
  const { sink } = metrics();
  const store = await desk.open(sink);
  for (const n of [1, 2, 3]) {
    await sink.send(FIT, never);
    await store.save(cursorAt(n), false, kept);
    await desk.clock.advance(5_000);
  }
  await store.close();
  const settledTo = async (): Promise<[number | undefined, string | undefined]> => {
    const next = metrics();
    const { found } = await desk.open(next.sink);
    return [found?.settled, /_count\{.*\} (\d+)/.exec(await next.text())?.[1]];
  };
  const damage = (path: string): void => void (desk.fs.files.get(path)![100]! ^= 1);
  damage(`${DIRECTORY}/prometheus.1`);
  expect(await settledTo()).toEqual([2, '2']);
  expect(desk.said).toEqual([]);
  // What was read was written again, beside what was damaged.
  for (const n of [0, 1]) damage(`${DIRECTORY}/prometheus.${n}`);
  expect(await settledTo()).toEqual([undefined, undefined]);
  expect(desk.said).toEqual([expect.stringContaining('histograms start anew')]);
  // Whatever was written half: an empty file is none.
  for (const path of desk.fs.files.keys()) desk.fs.files.set(path, Buffer.alloc(0));
  expect(await settledTo()).toEqual([undefined, undefined]);
});

test('on a full disk records are not let go, the lane says so once, and goes on when there is room', async () => {
  const { fs, clock } = desk;
  const plant = new Plant(clock);
  const { sink } = metrics();
  const store = await desk.open(sink);
  const rig = plant.lane(sink, {
    cursor: {
      found: store.found,
      save: (cursor, sync, done) =>
        store.save(cursor, sync, (seq) => {
          desk.kept.push(seq);
          done(seq);
        }),
      close: () => store.close(),
    },
  });
  const running = rig.lane.run(never);
  await settled();
  fs.failure = 'ENOSPC';
  for (let n = 0; n < 20; n++) {
    await plant.spool.append(batch(['a 1'], []));
    await clock.advance(1_000);
  }
  expect(desk.kept).toEqual([]);
  expect(rig.states.map(({ state }) => state)).toEqual(['running', 'retrying']);
  expect(rig.lane.state.reason).toContain('ENOSPC');
  expect(rig.lane.pending()).toBeGreaterThan(10);
  fs.failure = undefined;
  await clock.advance(1_000);
  expect(rig.states.map(({ state }) => state)).toEqual(['running', 'retrying', 'running']);
  expect(rig.lane.pending()).toBe(0);
  plant.spool.end();
  await running;
  expect(desk.kept.at(-1)).toBe(20);
  const next = metrics();
  await desk.open(next.sink);
  expect(await next.text()).toMatch(/_count\{.*\} 20\n/);
});

test('two snapshots are never written at once, however slow the disk is', async () => {
  const { fs, clock } = desk;
  let writing = 0;
  let most = 0;
  const open = fs.open.bind(fs);
  fs.open = async (path) => {
    const file = await open(path);
    return {
      ...file,
      async write(pieces, at) {
        writing += 1;
        most = Math.max(most, writing);
        await clock.sleep(12_000, never);
        writing -= 1;
        return file.write(pieces, at);
      },
    };
  };
  const { sink } = metrics();
  const store = await desk.open(sink);
  for (let n = 1; n <= 20; n++) {
    await sink.send(FIT, never);
    void store.save(cursorAt(n), false, kept);
    await clock.advance(3_000);
  }
  const closing = store.close();
  await clock.advance(60_000);
  await closing;
  expect(most).toBe(1);
  expect(desk.kept).toEqual(desk.kept.toSorted((a, b) => a - b));
  const next = metrics();
  const opening = desk.open(next.sink);
  await clock.advance(60_000);
  expect((await opening).found).toMatchObject({ settled: 20 });
  expect(await next.text()).toMatch(/_count\{.*\} 20\n/);
});

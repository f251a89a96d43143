import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventRow } from '../../src/tasks/assembler.ts';
import { RhapsodyTasks } from '../../src/tasks/rhapsody.ts';
import { event, rowsOf, Table } from './rhapsody-rows.ts';

const SAMPLE = fileURLToPath(new URL('../fixtures/sample-session.telemetry.jsonl', import.meta.url));
const SESSION = 'asyncflow.session.5e0a17c4';

const table = (idle_s = 3600): Table => new Table(() => new RhapsodyTasks({ idle_s }));

/** A whole life, from `at_s` on. */
function life(id: string, at_s = 0, end = 'TaskCompleted', more: Readonly<Record<string, unknown>> = {}): EventRow[] {
  const created = { task: 'fit', backend: 'concurrent', ...more };
  return [
    event('TaskCreated', id, at_s, created),
    event('asyncflow.TaskResolved', id, at_s + 0.1),
    event('TaskQueued', id, at_s + 0.3),
    event('TaskSubmitted', id, at_s + 0.4),
    event('TaskStarted', id, at_s + 0.8),
    event(end, id, at_s + 2.8),
  ];
}

const SPLIT = { dependency_wait: 0.1, queue: 0.3, start_latency: 0.4, execution: 2 };

test('a task of the sample session is told once, when it ends, with every phase of its life', () => {
  const sample = table().take(...rowsOf(SAMPLE));
  expect(sample.rows.size).toBe(9);
  expect([...sample.rows.values()].map(({ written }) => written)).toEqual(Array<number>(9).fill(1));
  expect(sample.task('task.000002', SESSION)).toEqual({
    at_s: 0.33,
    revision: 1,
    written: 1,
    ts_start: 1_781_613_000_335_000,
    dialect: 'rhapsody',
    event: 'task',
    kind: 'task',
    status: 'success',
    wall_time_s: 0.12,
    task: 'preprocess',
    task_id: 'task.000002',
    session_id: SESSION,
    workflow_id: 'exp-0',
    backend: 'concurrent',
    depends_on: ['task.000001'],
    end_reason: 'completed',
    ts_created: 1_781_613_000_145_100,
    ts_resolved: 1_781_613_000_323_000,
    ts_queued: 1_781_613_000_325_000,
    ts_submitted: 1_781_613_000_326_000,
    ts_started: 1_781_613_000_335_000,
    // Its upstream ended at 0.190 and the engine noticed at 0.198: those 8 ms are the end of the 177.9 that it waited.
    phases: { dependency_wait: 0.1779, scheduler_gap: 0.008, queue: 0.003, start_latency: 0.009, execution: 0.12 },
    steps: 6,
  });
  expect(sample.task('task.000007', SESSION)).toMatchObject({ status: 'error', error_type: 'unknown', at_s: 0.572 });
  expect(sample.task('task.000009', SESSION)).toMatchObject({ status: 'canceled', wall_time_s: 0.5 });
});

test('Trap 7: the same task_id in two sessions is two tasks', () => {
  const two = table().take(...life('task.000001'), ...life('task.000001', 9, 'TaskFailed', {}).map(inSession('t')));
  expect(two.rows.size).toBe(2);
  expect(two.task('task.000001')).toMatchObject({ status: 'success', phases: SPLIT });
  expect(two.task('task.000001', 't')).toMatchObject({ status: 'error', phases: SPLIT });
});

test('Trap 8: a task whose upstream failed, one that was canceled while pending and a block are closed by the end of the session', () => {
  const sample = table().take(...rowsOf(SAMPLE));
  const never = sample.task('task.000008', SESSION)!;
  expect(never).toMatchObject({ status: 'unknown', end_reason: 'upstream_failed', revision: 0 });
  expect(never['phases']).toEqual({ dependency_wait: 0.5587, scheduler_gap: 0.008 });

  const others = table().take(
    event('TaskCreated', 'task.000001', 0),
    event('TaskCreated', 'task.000002', 1, { depends_on: ['task.000001'] }),
    event('TaskCreated', 'task.000003', 2, { depends_on: ['task.000002'] }),
    event('TaskCreated', 'task.000004', 2),
    event('TaskCreated', 'block.000005', 2),
    ...life('task.000006', 2).slice(0, 5),
    event('TaskFailed', 'task.000001', 3),
    event('SessionEnded', '', 9),
  );
  const ends = (id: string): unknown[] =>
    ['end_reason', 'event', 'at_s', 'phases'].map((name) => others.task(id)![name]);
  expect(ends('task.000002')).toEqual(['upstream_failed', 'task', 1, undefined]);
  expect(ends('task.000003')).toEqual(['upstream_failed', 'task', 2, undefined]);
  expect(ends('task.000004')).toEqual(['session_ended', 'task', 9, undefined]);
  expect(ends('block.000005')).toEqual(['session_ended', 'block', 9, undefined]);
  const { execution: _none, ...begun } = SPLIT;
  expect(ends('task.000006')).toEqual(['session_ended', 'task', 9, begun]);
});

test('Trap 9: a task that was canceled before it started has ended, and has no execution', () => {
  const canceled = table().take(...life('task.000001').slice(0, 4), event('TaskCanceled', 'task.000001', 2));
  const task = canceled.task('task.000001')!;
  expect(task).toMatchObject({ status: 'canceled', end_reason: 'completed', at_s: 2, revision: 1 });
  expect([task['wall_time_s'], task['ts_start']]).toEqual([undefined, undefined]);
  expect(task['phases']).toEqual({ dependency_wait: 0.1, queue: 0.3 });
});

test('Trap 10: Queued comes before Submitted or after it', () => {
  const [created, resolved, queued, submitted, ...rest] = life('task.000001') as [
    EventRow,
    EventRow,
    EventRow,
    EventRow,
  ];
  const dask = (row: EventRow): EventRow => ({ ...row, fields: { ...row.fields, backend: 'dask' } });
  for (const middle of [
    [queued, dask(submitted)],
    [dask(submitted), queued],
    [dask(submitted), { ...queued, ts_us: submitted.ts_us + 1 }],
  ]) {
    const task = table()
      .take(created, resolved, ...middle, ...rest)
      .task('task.000001');
    expect(task).toMatchObject({ phases: SPLIT, backend: 'dask', steps: 6 });
  }
});

test('Trap 17: a stage has its own name, whatever its place in the workflow', () => {
  const sample = table().take(...rowsOf(SAMPLE));
  expect(sample.task('task.000009', SESSION)).toMatchObject({ task: 'probe', workflow_id: 'wf-3a1b9c2d' });
});

test('Trap 18: where SessionEnded is missing, a session that says nothing any more is closed as idle', () => {
  const pending = table(60).take(...life('task.000001').slice(0, 5), event('TaskCreated', 'task.000002', 1));
  const started_ms = event('', '', 1).committed_ms;
  const tick = (after_ms: number): Table => pending.block((tasks, kept) => tasks.tick(started_ms + after_ms, kept));
  expect(tick(59_000).rows.size).toBe(0);
  // A node that tells of its resources is a session that is alive.
  const node = { ...event('ResourceUpdate', '', 50, { kind: 'resource' }), table: 'resources' as const };
  expect(pending.take(node).rows.size).toBe(0);
  expect(tick(100_000).rows.size).toBe(0);
  expect(tick(200_000).task('task.000001')).toMatchObject({ end_reason: 'idle', status: 'unknown', at_s: 0.8 });
  expect(pending.task('task.000002')).toMatchObject({ end_reason: 'idle', status: 'unknown', revision: 0 });

  // It was alive after all.
  pending.take(event('TaskCompleted', 'task.000001', 300));
  expect(pending.task('task.000001')).toMatchObject({
    end_reason: 'completed',
    status: 'success',
    revision: 1,
    written: 2,
  });
});

test('Trap 19: with incomplete_lifecycle a duration of 0.0 is none, and the task says so', () => {
  const attributes = { incomplete_lifecycle: 'true' };
  const failed = table().take(
    ...life('task.000001').slice(0, 4),
    event('TaskFailed', 'task.000001', 2, { attributes }),
  );
  const task = failed.task('task.000001')!;
  expect([task['incomplete_lifecycle'], task['wall_time_s'], task['status']]).toEqual([true, undefined, 'error']);
  expect(
    table()
      .take(...life('a'))
      .task('a')!['incomplete_lifecycle'],
  ).toBeUndefined();
});

test('an end that comes after the session was closed corrects the task, and is the first that is told', () => {
  const late = table().take(...life('a').slice(0, 5), event('SessionEnded', '', 2));
  expect(late.task('a')).toMatchObject({ end_reason: 'session_ended', revision: 0, written: 1 });
  late.take(event('TaskCompleted', 'a', 2.8));
  expect(late.task('a')).toMatchObject({ end_reason: 'completed', revision: 1, phases: SPLIT });
  late.take(event('TaskCompleted', 'a', 2.8));
  expect(late.task('a')).toMatchObject({ revision: 1, written: 2 });
});

test('at the end of the input what is open is told as it is, and goes on with the next run', () => {
  const over = (): Table => stopped.block((tasks, kept) => tasks.over(0, kept));
  const stopped = table().take(...life('a').slice(0, 5), event('TaskCreated', 'b', 1));
  over();
  expect(stopped.task('a')).toMatchObject({ end_reason: 'input_ended', status: 'running', revision: 0 });
  expect(stopped.task('b')).toMatchObject({ end_reason: 'input_ended', status: 'unknown', revision: 0 });
  stopped.take(event('TaskCompleted', 'a', 2.8));
  over();
  expect(stopped.task('a')).toMatchObject({ end_reason: 'completed', status: 'success', revision: 1, phases: SPLIT });
  expect(stopped.task('b')).toMatchObject({ written: 1 });
});

test('of a session that ends with thousands of open tasks two thousand are told at a time, and all in the end', () => {
  const ids = Array.from({ length: 5_000 }, (_, n) => `task.${n}`);
  const session = (): Table =>
    table().take(...ids.map((id) => event('TaskCreated', id, 0)), event('SessionEnded', '', 9));
  const ticking = session();
  expect(ticking.rows.size).toBe(2_000);
  for (const rows of [4_000, 5_000, 5_000]) {
    ticking.block((tasks, kept) => tasks.tick(0, kept));
    expect(ticking.rows.size).toBe(rows);
  }
  const ending = session();
  const more: unknown[] = [];
  for (const _ of [1, 2, 3]) ending.block((tasks, kept) => void more.push(tasks.over(0, kept)));
  expect([more, ending.rows.size]).toEqual([[true, false, false], 5_000]);
  const reasons = [...ticking.rows.values(), ...ending.rows.values()].map(({ fields }) => fields['end_reason']);
  expect(new Set(reasons)).toEqual(new Set(['session_ended']));
});

test('a session that is given the name of an older one begins its tasks anew', () => {
  const again = table().take(...life('a'), ...life('a', 100, 'TaskFailed'));
  expect(again.task('a')).toMatchObject({ status: 'error', at_s: 102.8, revision: 1, phases: SPLIT });
});

test('the gap of the scheduler is known though what was waited for ended long before, and is absent when it is not known', () => {
  const waiting = table(1e9).take(...life('a'), event('TaskCreated', 'c', 0, { depends_on: ['a', 'gone'] }));
  waiting.take(event('TaskCreated', 'b', 0, { depends_on: ['a'] }));
  const days_ms = event('', '', 0).committed_ms + 3 * 86_400_000;
  waiting.block((tasks, kept) => tasks.tick(days_ms, kept));
  for (const id of ['b', 'c']) waiting.take(event('asyncflow.TaskResolved', id, 5), event('TaskCompleted', id, 9));
  expect(waiting.task('b')!['phases']).toEqual({ dependency_wait: 5, scheduler_gap: 2.2 });
  expect(waiting.task('c')!['phases']).toEqual({ dependency_wait: 5 });
  // Nobody waits for it any more.
  waiting.block((tasks, kept) => tasks.tick(days_ms * 2, kept));
  expect([...waiting.kept.keys()].filter((key) => / (?:open|done) /.test(key))).toEqual([]);
});

test('however many tasks end, no more than some are remembered', () => {
  const many = table();
  for (let block = 0; block < 25; block++) {
    many.block((tasks, kept) => {
      for (let n = 0; n < 1_000; n++) for (const row of life(`task.${block * 1_000 + n}`)) tasks.take(row, kept);
      tasks.tick(event('', '', block * 100).committed_ms, kept);
    });
  }
  expect(many.rows.size).toBe(25_000);
  expect(many.kept.size).toBeLessThanOrEqual(20_001);
});

test('forty thousand open tasks take less than 16 MiB, and each is told when there is no room for it', () => {
  const open = table().block((tasks, kept) => {
    for (let n = 0; n < 40_000; n++) {
      const id = `task.${String(n).padStart(6, '0')}`;
      const more = { session_id: SESSION, workflow_id: 'wf-3a1b9c2d', depends_on: ['task.000001'] };
      for (const row of life(id, n, '', more).slice(0, 5)) tasks.take(row, kept);
    }
  });
  let size = 0;
  for (const [key, value] of open.kept) size += key.length + value.length;
  expect(size).toBeLessThan(16 << 20);
  const [oldest] = [...open.kept.keys()].filter((key) => key.includes(' open '));
  let told: boolean | undefined;
  open.block((tasks, kept) => {
    told = tasks.evicted(oldest!, 0, kept);
  });
  expect([told, [...open.rows.values()].map(({ fields }) => fields['end_reason'])]).toEqual([true, ['evicted']]);
});

test('whatever the blocks, the order before the end, and how two sessions with the same ids interleave, the table is the same', () => {
  const one = [...life('task.000001'), ...life('task.000002', 1, 'TaskFailed', { depends_on: ['task.000001'] })];
  const other = [...life('task.000001', 0.5), ...life('task.000002', 3, 'TaskCanceled')].map(inSession('t'));
  const expected = contents(table().take(...one, ...other));
  const shuffled = (rows: readonly EventRow[]): fc.Arbitrary<EventRow[]> =>
    // Each task's own events in any order, but for the end, which is last.
    fc
      .tuple(
        ...[0, 6].map((at) =>
          fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }).map((of) => [...of, 5].map((n) => rows[at + n]!)),
        ),
      )
      .map((tasks) => tasks.flat());
  const interleaved = fc.tuple(
    shuffled(one),
    shuffled(other),
    fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
  );
  fc.assert(
    fc.property(interleaved, fc.integer({ min: 1, max: 24 }), ([left, right, turns], size) => {
      const rows = turns.map((turn) => (turn ? (left.shift() ?? right.shift()!) : (right.shift() ?? left.shift()!)));
      const split = table();
      for (let at = 0; at < rows.length; at += size) split.take(...rows.slice(at, at + size));
      expect(contents(split)).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

function contents({ rows }: Table): unknown {
  return [...rows]
    .map(([key, { ts_us, revision, fields }]) => ({ key, ts_us, revision, fields }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function inSession(session_id: string): (row: EventRow) => EventRow {
  return (row) => ({ ...row, fields: { ...row.fields, session_id } });
}

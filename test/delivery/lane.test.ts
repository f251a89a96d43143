import { expect, test } from 'vitest';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { SinkError, STORED } from '../../src/sinks/sink.ts';
import { FakeClock, HastyClock, settled } from '../support/fake-clock.ts';
import { Fuse } from '../support/mortal.ts';
import { World } from './lives.ts';
import { batchOf, gap, hold, inTurn, never, Plant, poison, retry, ScriptedSink, stepsOf } from './scripted.ts';

test('a lane is starting until its sink opens, and says once why it does not', async () => {
  const plant = new Plant(new FakeClock());
  const sink = new ScriptedSink();
  sink.openings = [retry('ECONNREFUSED'), retry('ECONNREFUSED'), hold('516'), hold('516'), hold('516')];
  const rig = plant.lane(sink);
  expect(rig.lane.state).toEqual({ state: 'starting' });
  const running = rig.lane.run(never);
  expect(rig.lane.state).toEqual({ state: 'starting' });
  await (plant.clock as FakeClock).advance(10_000);
  expect(rig.lane.state).toEqual({ state: 'holding', reason: 'said 516' });
  await (plant.clock as FakeClock).advance(90_000);
  plant.spool.end();
  await running;
  expect(rig.states).toEqual([
    { state: 'retrying', reason: 'said ECONNREFUSED' },
    { state: 'holding', reason: 'said 516' },
    { state: 'running' },
    { state: 'stopped' },
  ]);
  expect(sink.opened).toBe(6);
});

test('a change of state is told once, however many tries it lasts', async () => {
  const plant = new Plant();
  const script = [retry(), retry(), retry(), STORED, hold(), hold(), hold(), STORED, STORED];
  const sink = new ScriptedSink(inTurn(script));
  const rig = plant.lane(sink);
  const running = rig.lane.run(never);
  for (const step of ['a', 'b', 'c']) {
    await plant.spool.append(batchOf([step]));
    while (rig.lane.pending() > 0) await settled();
  }
  plant.spool.end();
  await running;
  expect(rig.states.map(({ state }) => state)).toEqual([
    'running',
    'retrying',
    'running',
    'holding',
    'running',
    'stopped',
  ]);
  expect(rig.counts.retried).toEqual(['AGAIN', 'AGAIN', 'AGAIN', 'HELP', 'HELP', 'HELP']);
  expect(sink.opened).toBe(1 + 3);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 3, stored: 3, dead_lettered: 0 });
});

test('while a sink holds, a new reason is told, and the same one is not told twice', async () => {
  const plant = new Plant();
  const sink = new ScriptedSink(
    inTurn([hold('60'), hold('60'), hold('516'), retry(), retry('OTHER'), hold('516'), STORED]),
  );
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(rig.states.map(({ state, reason }) => `${state} ${reason ?? ''}`.trim())).toEqual([
    'running',
    'holding said 60',
    'holding said 516',
    'retrying said AGAIN',
    'holding said 516',
    'running',
    'stopped',
  ]);
});

test('a lane whose dead letters the spool cannot take settles nothing, says so, and ends when it is told to', async () => {
  const plant = new Plant(new FakeClock());
  const rig = plant.lane(new ScriptedSink(() => poison()));
  await plant.spool.append(batchOf(['a']));
  plant.spool.append = async () => Promise.reject(new Error('the spool cannot be written'));
  const abort = new AbortController();
  const running = rig.lane.run(abort.signal);
  await (plant.clock as FakeClock).advance(120_000);
  expect(rig.states).toEqual([
    { state: 'running' },
    { state: 'holding', reason: 'its dead letters cannot be written to the spool' },
  ]);
  abort.abort();
  await running;
  expect([rig.totals().dead_lettered, rig.lane.pending(), gap(rig)]).toEqual([0, 1, 0]);
});

test('after a restart, while the sink does not open, what waits is as old as it is, and the ledger closes', async () => {
  await World.run(async (world) => {
    const first = (await world.begin())!;
    const half = new ScriptedSink((part) => (part.count > 1 ? poison() : stepsOf(part)[0] === 'a' ? STORED : retry()));
    const before = (await first.lane(half))!;
    void before.lane.run(first.abort.signal);
    await first.feed([{ steps: ['a', 'b', 'c'], logs: ['d'] }]);
    while (before.lane.state.state !== 'retrying') await settled();
    await first.fuse.over();
    const now = first.clock.wall();

    const clock = new FakeClock(new Date(now + 90_000).toISOString());
    const second = (await world.begin(new Fuse(), { clock }))!;
    const sink = new ScriptedSink();
    sink.openings = Array.from({ length: 1000 }, () => hold('516'));
    const living = (await second.lane(sink))!;
    void living.lane.run(second.abort.signal);
    living.lane.oldestPending();
    while (living.lane.oldestPending() === 0) await settled();
    expect(living.lane.oldestPending()).toBeGreaterThanOrEqual(90);
    expect(living.lane.oldestPending()).toBeLessThan(91);
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 4, stored: 1 });
    expect(living.lane.pending()).toBe(3);
    expect(living.lane.state).toEqual({ state: 'holding', reason: 'said 516' });
    await clock.advance(3_600_000);
    expect(living.lane.oldestPending()).toBeGreaterThanOrEqual(3_690);
    sink.openings = [];
    second.spool.end();
    await clock.advance(30_000);
    while (living.lane.pending() > 0) await clock.advance(1_000);
    expect(sink.sent.map(stepsOf)).toEqual([['b'], ['c'], ['d']]);
    expect(living.lane.oldestPending()).toBe(0);
    await second.stop();
  });
});

test('a sink that holds is opened and tried again every 30 seconds, for as long as it takes', async () => {
  const clock = new FakeClock();
  const plant = new Plant(clock);
  const sink = new ScriptedSink(() => hold());
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a']));
  void rig.lane.run(never);
  await clock.advance(3_600_000);
  expect(sink.sent).toHaveLength(121);
  expect(sink.opened).toBe(121);
  expect(rig.lane.pending()).toBe(1);
  expect(rig.lane.oldestPending()).toBe(3600);
  sink.verdict = () => STORED;
  await clock.advance(30_000);
  expect(rig.lane.pending()).toBe(0);
  expect(rig.lane.oldestPending()).toBe(0);
  expect(rig.lane.state).toEqual({ state: 'running' });
});

test('a part that is tried again is the same part, and doubt about it is not forgotten', async () => {
  const plant = new Plant();
  const sink = new ScriptedSink(inTurn([retry('TIMEOUT', { in_doubt: true }), retry('429'), hold()]));
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a', 'b']));
  await plant.spool.append(batchOf(['c']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(sink.sent.map(({ token }) => token)).toEqual(Array.from({ length: 4 }, () => `${plant.spool.src}-1-2`));
  expect(sink.sent.map(stepsOf)).toEqual(Array.from({ length: 4 }, () => ['a', 'b', 'c']));
  expect(sink.sent.map(({ in_doubt }) => in_doubt)).toEqual([false, true, true, true]);
});

test('doubt about a part is doubt about its halves', async () => {
  const plant = new Plant();
  const sink = new ScriptedSink(inTurn([poison({ in_doubt: true })]));
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a', 'b']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(sink.sent.map(({ in_doubt }) => in_doubt)).toEqual([false, true, true]);
});

test('a pause is never shorter than the sink asked for, at the start as well', async () => {
  const clock = new HastyClock();
  const plant = new Plant(clock);
  const sink = new ScriptedSink(
    inTurn([retry('503', { retry_after_ms: 9_000 }), { rejected: [], again: [0], retry_after_ms: 4_000 }]),
  );
  sink.openings = [retry('429', { retry_after_ms: 7_000 })];
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(clock.slept).toEqual([7_000, 9_000, 4_000]);
});

test('the wait for a sink grows with every failure, and is short again after a success', async () => {
  const clock = new HastyClock();
  const plant = new Plant(clock);
  const sink = new ScriptedSink(inTurn([...Array.from({ length: 6 }, () => retry()), STORED, retry(), STORED]));
  const rig = plant.lane(sink, { limits: { max_rows: 1, max_bytes: 1, linger_ms: 0 } });
  await plant.spool.append(batchOf(['a']));
  await plant.spool.append(batchOf(['b']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(clock.slept).toEqual([4, 8, 16, 32, 32, 32, 4]);
});

test('rows that the sink would not take yet go again alone, until each has its fate', async () => {
  const plant = new Plant();
  const gone = { code: 'mapper', detail: 'no' };
  const sink = new ScriptedSink(
    inTurn([
      { rejected: [{ row: 0, ...gone }], again: [1, 3] },
      { rejected: [{ row: 3, ...gone }], again: [1] },
    ]),
  );
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a', 'b', 'c', 'd', 'e']));
  plant.spool.end();
  await rig.lane.run(never);
  expect(sink.sent.map(({ settled: bits }) => bits && [...bits])).toEqual([
    undefined,
    [1, 0, 1, 0, 1],
    [1, 0, 1, 1, 1],
  ]);
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 5, stored: 3, dead_lettered: 2 });
  expect(rig.lane.pending()).toBe(0);
  expect(rig.states.map(({ state }) => state)).toEqual(['running', 'retrying', 'running', 'stopped']);
});

test('a dead sink costs another one nothing', async () => {
  const clock = new FakeClock();
  const plant = new Plant(clock);
  const dead = plant.lane(new ScriptedSink(() => retry('ECONNREFUSED'), 'dead'));
  const well = plant.lane(new ScriptedSink(() => STORED, 'well'));
  const abort = new AbortController();
  const running = [dead.lane.run(abort.signal), well.lane.run(abort.signal)];
  for (let n = 0; n < 50; n++) {
    await plant.spool.append(batchOf([`${n}`]));
    await settled();
    expect(well.lane.pending()).toBe(0);
  }
  expect(dead.lane.pending()).toBe(50);
  expect([gap(dead), gap(well)]).toEqual([0, 0]);
  expect(well.states).toEqual([{ state: 'running' }]);
  abort.abort();
  await Promise.all(running);
  expect([dead.lane.pending(), well.lane.pending()]).toEqual([50, 0]);
});

test('what a sink does wrong is held, and its words, which may quote a row, are not repeated', async () => {
  const plant = new Plant(new FakeClock());
  const rig = plant.lane(new ScriptedSink(() => new TypeError('canary-4111\n    at canary-4111 is not a function')));
  await plant.spool.append(batchOf(['a']));
  void rig.lane.run(never);
  await settled();
  expect(rig.lane.state).toMatchObject({ state: 'holding' });
  expect(rig.lane.state.reason).toMatch(/TypeError at .*lane\.test\.ts:\d+/);
  expect(rig.lane.state.reason).not.toContain('canary');
  expect(rig.lane.pending()).toBe(1);
});

test.each(['before it opens', 'in a pause', 'in a send', 'between two parts'])(
  'a lane that is aborted %s ends at once, and what is not settled is pending',
  async (when) => {
    const plant = new Plant(new FakeClock());
    const abort = new AbortController();
    const sink = new ScriptedSink((part, signal) => {
      if (part.table === 'steps' && when !== 'in a pause') {
        if (when === 'between two parts') abort.abort();
        return STORED;
      }
      if (when === 'in a pause') return retry();
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(new SinkError('retry', 'ABORTED', 'stopping')));
      });
    });
    if (when === 'before it opens') sink.openings = [retry(), retry()];
    const rig = plant.lane(sink);
    await plant.spool.append(batchOf(['a', 'b', 'c'], ['x', 'y']));
    await plant.spool.append(batchOf(['d']));
    const running = rig.lane.run(abort.signal);
    await settled();
    abort.abort();
    await running;
    expect(rig.lane.state).toEqual({ state: 'stopped' });
    const stored = when === 'in a send' || when === 'between two parts' ? 4 : 0;
    expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 6, stored, dead_lettered: 0 });
    expect(rig.lane.pending()).toBe(6 - stored);
    expect(gap(rig)).toBe(0);
  },
);

test('an answer that says stored counts, though the run was aborted meanwhile', async () => {
  const plant = new Plant();
  const abort = new AbortController();
  const sink = new ScriptedSink(() => {
    abort.abort();
    return STORED;
  });
  const rig = plant.lane(sink);
  await plant.spool.append(batchOf(['a']));
  await rig.lane.run(abort.signal);
  expect(rig.totals().stored).toBe(1);
  expect(rig.lane.pending()).toBe(0);
});

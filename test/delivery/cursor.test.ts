import { expect, test } from 'vitest';
import type { Table } from '../../src/batch.ts';
import { blockOf, cursorOf } from '../../src/delivery/block.ts';
import { openCursor, readCursors, SLOT_BYTES, type CursorStore, type LaneCursor } from '../../src/delivery/cursor.ts';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { repair, split } from '../../src/delivery/part.ts';
import { diskFs } from '../../src/spool/files.ts';
import { EVENT_TABLES } from '../../src/fields.ts';
import { NOTHING, rowsBy, type Mark } from '../../src/spool/mark.ts';
import type { SpoolRecord } from '../../src/spool/spool.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { rowsOf, stepRow } from '../support/rows.ts';
import { World } from './lives.ts';
import { batchOf, gap, never, Plant, poison, ScriptedSink, stepsOf } from './scripted.ts';
import { TokenServer } from './servers.ts';

const HUGE: Mark = { ...rowsBy(() => 1e15), bytes: 1e15 };

/** A cursor with numbers as long as they get, and every part split down to a single row, with a repair in each. */
function deepest(rows: number): LaneCursor {
  const record: SpoolRecord = {
    src: '0123456789abcdef-0123456789ab',
    seq: 9e15,
    day: '2026-11-21',
    committed_at: 0,
    batch: {
      source: 'test',
      position: {},
      lines: 0,
      rows: EVENT_TABLES.map((table) => {
        return { ...rowsOf(table, [stepRow()]), ends: new Uint32Array(rows) };
      }),
    },
    bases: EVENT_TABLES.map((_, n) => n * rows),
    before: HUGE,
    size: NOTHING,
  };
  const block = blockOf([record], new Set<Table>(EVENT_TABLES), 9e15, false);
  const parts = block.parts.flatMap((part) => {
    const open = [part];
    while (open[0]!.count > 1) open.splice(0, 1, ...split(open[0]!));
    return table(open[0]!.table) ? open.map((each) => repair(each)) : [repair(part)];
  });
  const totals = { ...NO_TOTALS, stored: 1e15, dead_lettered: 1e15, lost: 1e15, dropped: 1e15 };
  const dropping = { from: 9e15, to: 9e15 };
  return {
    settled: 9e15,
    at: HUGE,
    base: HUGE,
    since: 9e15,
    totals,
    dropping,
    block: cursorOf({ ...block, parts }),
  };
}

/** Parts are settled one after the other: while one is split, those behind it are whole. */
function table(name: Table): boolean {
  return name === 'steps';
}

test.each([10_000, 200_000])(
  'a cursor fits its slot when a block of %d rows in each of five tables is split to the last row',
  async (rows) => {
    await World.run(async (world) => {
      const cursor = deepest(rows);
      expect(cursor.block!.parts).toHaveLength(Math.floor(Math.log2(rows)) + EVENT_TABLES.length);
      const bytes = Buffer.byteLength(JSON.stringify(cursor));
      expect(bytes).toBeGreaterThan(1000);
      expect(bytes).toBeLessThan(SLOT_BYTES * 0.75);
      const store = await openCursor(diskFs, world.directory, 'deep', () => {});
      await store.save(cursor, true, () => {});
      await store.close();
      expect((await readCursors(diskFs, world.directory)).get('deep')).toEqual(cursor);
    });
  },
);

test('of rows that are all poison each becomes a dead letter, and no cursor on the way there is long', async () => {
  await World.run(async (world) => {
    const life = (await world.begin())!;
    let most = 0;
    const real = await openCursor(diskFs, world.directory, 'scripted', () => {});
    const store: CursorStore = {
      ...real,
      async save(cursor, sync, kept) {
        most = Math.max(most, Buffer.byteLength(JSON.stringify(cursor)));
        await real.save(cursor, sync, kept);
      },
    };
    const rows = Array.from({ length: 300 }, (_, n) => `p${n}`);
    const sink = new ScriptedSink(() => poison());
    const living = (await life.lane(sink, { store, limits: { max_rows: 1e6, max_bytes: 1e9, linger_ms: 0 } }))!;
    await life.live([{ steps: rows, logs: [] }]);
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 300, dead_lettered: 300 });
    expect(most).toBeLessThan(SLOT_BYTES / 2);
  });
});

/** A store that fails as long as it is told to. */
function failing(): CursorStore & { code: string | undefined; readonly saved: LaneCursor[] } {
  const saved: LaneCursor[] = [];
  return {
    code: undefined,
    saved,
    found: undefined,
    async save(cursor, _sync, kept) {
      if (this.code !== undefined) throw Object.assign(new Error('no'), { code: this.code });
      saved.push(cursor);
      kept(cursor.settled);
    },
    async close() {},
  };
}

test.each(['ENOSPC', 'EIO'])(
  'while its cursor cannot be written (%s), a lane sends nothing, says why, and goes on when it can',
  async (code) => {
    const clock = new FakeClock();
    const plant = new Plant(clock);
    const cursor = failing();
    cursor.code = code;
    const sink = new ScriptedSink();
    const rig = plant.lane(sink, { cursor });
    await plant.spool.append(batchOf(['a', 'b']));
    const running = rig.lane.run(never);
    await clock.advance(2_000);
    expect(sink.sent).toEqual([]);
    expect(rig.lane.state).toEqual({
      state: 'retrying',
      reason: `its cursor cannot be written (${code}): is the disk of --state full?`,
    });
    expect(rig.lane.pending()).toBe(2);
    expect(rig.lane.oldestPending()).toBe(2);
    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(64);
    cursor.code = undefined;
    await clock.advance(64);
    expect(sink.sent.map(stepsOf)).toEqual([['a', 'b']]);
    expect(rig.states.map(({ state }) => state)).toEqual(['running', 'retrying', 'running']);

    // The same in the middle of a split: no half goes out that the cursor does not know.
    sink.verdict = (part) => {
      if (part.count === 1) return { rejected: [], again: [] };
      cursor.code = code;
      return poison();
    };
    await plant.spool.append(batchOf(['c', 'd']));
    await clock.advance(2_000);
    expect(sink.sent.map(stepsOf)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    cursor.code = undefined;
    await clock.advance(64);
    expect(sink.sent.slice(2).map(stepsOf)).toEqual([['c'], ['d']]);
    expect([rig.totals().stored, rig.lane.pending(), gap(rig)]).toEqual([4, 0, 0]);

    // What is stored is stored: a cursor that is not written afterwards costs nothing but time.
    sink.verdict = () => {
      cursor.code = code;
      return { rejected: [], again: [] };
    };
    await plant.spool.append(batchOf(['e']));
    await clock.advance(2_000);
    expect([rig.totals().stored, rig.lane.pending(), rig.lane.state.state]).toEqual([5, 0, 'retrying']);
    cursor.code = undefined;
    plant.spool.end();
    await clock.advance(64);
    await running;
    expect(rig.states.map(({ state }) => state).slice(-3)).toEqual(['retrying', 'running', 'stopped']);
  },
);

test('a lane that is aborted while its cursor cannot be written ends at once', async () => {
  const clock = new FakeClock();
  const plant = new Plant(clock);
  const cursor = failing();
  cursor.code = 'ENOSPC';
  const rig = plant.lane(new ScriptedSink(), { cursor });
  const abort = new AbortController();
  await plant.spool.append(batchOf(['a']));
  const running = rig.lane.run(abort.signal);
  await settled();
  abort.abort();
  await running;
  expect(rig.lane.pending()).toBe(1);
});

test('a cursor of which no slot can be read is a lane that begins at the oldest record, and looks for what is stored', async () => {
  await World.run(async (world) => {
    const given = [
      { steps: ['a', 'b'], logs: ['c'] },
      { steps: ['d', 'p'], logs: [] },
    ];
    const server = new TokenServer();
    const first = (await world.begin())!;
    first.spool.reader('keeper');
    await first.lane(server.sink(undefined));
    await first.live(given);
    const file = await diskFs.open(`${world.directory}/cursor.scripted`, 'update');
    await file.write([Buffer.alloc(2 * SLOT_BYTES, 7)], 0);
    await file.close();
    const second = (await world.begin())!;
    const living = (await second.lane(server.sink(undefined)))!;
    await second.live([...given, { steps: ['e'], logs: [] }]);
    expect(world.said).toEqual([expect.stringContaining('cursor.scripted is damaged')]);
    expect([...server.rows.values()]).toEqual([1, 1, 1, 1, 1]);
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 6, stored: 5, dead_lettered: 1 });
    expect(await world.letters()).toHaveLength(1);
  });
});

test('a lane that is new on an old spool has accepted what is in it', async () => {
  await World.run(async (world) => {
    const first = (await world.begin())!;
    first.spool.reader('keeper');
    await first.lane(new ScriptedSink(undefined, 'old'));
    await first.live([{ steps: ['a', 'b'], logs: ['c'] }]);
    const second = (await world.begin())!;
    const living = (await second.lane(new ScriptedSink(undefined, 'new', ['steps'])))!;
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 2 });
    expect(living.lane.pending()).toBe(2);
    await second.live([]);
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 2, stored: 2 });
  });
});

test('the cursor of a sink is found by whoever looks on, whatever a pipeline calls it', async () => {
  await World.run(async (world) => {
    const store = await openCursor(diskFs, world.directory, 'clickhouse_2-eu', () => undefined);
    await store.save(deepest(1), true, () => undefined);
    await store.close();
    expect([...(await readCursors(diskFs, world.directory)).keys()]).toEqual(['clickhouse_2-eu']);
  });
});

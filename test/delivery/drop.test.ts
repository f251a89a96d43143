import { expect, test } from 'vitest';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { STORED } from '../../src/sinks/sink.ts';
import { settled } from '../support/fake-clock.ts';
import { Fuse } from '../support/mortal.ts';
import { World, type Given, type Letter, type Life, type Living } from './lives.ts';
import { hold, retry, ScriptedSink, stepsOf } from './scripted.ts';

const MIB = 1 << 20;
const ROWS = 16;
/** 5 MiB in 80 records, for a spool that has room for 3. */
const given: Given[] = Array.from({ length: 80 }, (_, n) => ({
  steps: Array.from({ length: ROWS }, (__, row) => `${n}.${row}.${'x'.repeat(4_000)}`),
  logs: [],
}));
const TOTAL = given.length * ROWS;
const small = { max_bytes: 3 * MIB, memory_bytes: MIB };
const limits = { max_rows: 4 * ROWS, max_bytes: 1e9, linger_ms: 0 };

/** A sink that is dead until it is not, and the names of what it has stored. */
class Mortal extends ScriptedSink {
  alive = false;
  readonly names: string[] = [];
  /** The records that they were in. */
  readonly records = new Set<number>();

  constructor(dies: 'at the start' | 'in a send' | 'while an operator must act') {
    super(undefined, 'mortal', ['steps']);
    this.open = async () => {
      await settled();
      if (!this.alive && dies === 'at the start') throw retry('ECONNREFUSED');
    };
    this.verdict = async (part) => {
      await settled();
      if (!this.alive) return dies === 'in a send' ? retry('ECONNRESET') : hold('516');
      for (const { record } of part.slices) this.records.add(record.seq);
      this.names.push(...stepsOf(part).map((step) => step.slice(0, step.lastIndexOf('.'))));
      return STORED;
    };
  }
}

/** What the letters say: the records, and how many rows of them. */
function gaps(letters: readonly Letter[]): { from: number; to: number; rows: number }[] {
  return letters
    .filter(({ reason }) => reason === 'dropped')
    .map(({ detail }) => {
      const [, rows, from, to] = /^(\d+) rows of records (\d+) to (\d+) were given up/.exec(detail)!.map(Number);
      return { from: from!, to: to!, rows: rows! };
    });
}

/** All letters that a life has in its spool, read as they come. */
async function collect(life: Life, letters: Letter[]): Promise<Living> {
  const sink = new ScriptedSink(
    (part) => {
      for (const { rows, from, to } of part.slices) {
        for (const line of rows.bytes.toString('utf8').trimEnd().split('\n').slice(from, to)) {
          letters.push(JSON.parse(line) as Letter);
        }
      }
      return STORED;
    },
    'dead-letters',
    ['rejections'],
  );
  return (await life.lane(sink, { until: 'lanes' }))!;
}

test.each(['at the start', 'in a send', 'while an operator must act'] as const)(
  'a sink that is dead %s and may drop: the source and the other lane go on, and each gap is counted and told once',
  async (dies) => {
    await World.run(async (world) => {
      const life = (await world.begin(new Fuse(), small))!;
      const letters: Letter[] = [];
      const mortal = new Mortal(dies);
      const dead = (await life.lane(mortal, { drop_oldest: true, limits }))!;
      const well = new ScriptedSink(undefined, 'well', ['steps']);
      const other = (await life.lane(well, { limits }))!;
      const burier = await collect(life, letters);
      const signal = life.abort.signal;
      const running = [dead, other].map(({ lane }) => lane.run(signal));
      const burying = burier.lane.run(signal);
      await life.feed(given);
      while (other.lane.pending() > 0 || dead.totals().dropped === 0) await settled();
      expect(well.sent.reduce((sum, { count }) => sum + count, 0)).toBe(TOTAL);
      expect(life.spool.usage().bytes).toBeLessThanOrEqual(small.max_bytes + MIB);
      const { dropped } = dead.totals();
      // No more than has to go, to a segment and a block.
      expect(dropped).toBeGreaterThan(TOTAL / 4);
      expect(dropped).toBeLessThan(TOTAL * 0.8);
      expect(dead.totals()).toEqual({ ...NO_TOTALS, accepted: TOTAL, dropped });
      expect(dead.lane.pending()).toBe(TOTAL - dropped);
      expect(dead.lane.oldestPending()).toBeGreaterThan(0);
      // However much is given up, that is no change of state.
      expect(dead.states.length).toBeLessThanOrEqual(2);

      mortal.alive = true;
      await Promise.all(running);
      await life.spool.close();
      await burying;
      expect(dead.totals()).toEqual({ ...NO_TOTALS, accepted: TOTAL, dropped, stored: TOTAL - dropped });
      const told = gaps(letters);
      expect(told.reduce((sum, { rows }) => sum + rows, 0)).toBe(dropped);
      // The records that the letters name are those that the sink never got, each named once.
      const gone = new Set(told.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, n) => from + n)));
      expect(gone.size).toBe(told.reduce((sum, { from, to }) => sum + to - from + 1, 0));
      const stored = new Set(mortal.names);
      expect(stored.size).toBe(TOTAL - dropped);
      expect(mortal.names).toHaveLength(TOTAL - dropped);
      expect([...mortal.records].filter((seq) => gone.has(seq))).toEqual([]);
      expect(other.totals()).toEqual({ ...NO_TOTALS, accepted: TOTAL, stored: TOTAL });
      await life.spool.dispose();
      await life.fuse.over();
    });
  },
);

test('what was given up stays given up over a restart, and is counted once; the rest is delivered', async () => {
  await World.run(async (world) => {
    const first = (await world.begin(new Fuse(), small))!;
    const dead = (await first.lane(new Mortal('at the start'), { drop_oldest: true, limits }))!;
    void dead.lane.run(first.abort.signal);
    await first.feed(given);
    while (dead.totals().dropped === 0) await settled();
    await first.fuse.over();
    const { dropped } = dead.written()!.totals;

    const second = (await world.begin(new Fuse(), { ...small, max_bytes: 100 * MIB }))!;
    const mortal = new Mortal('in a send');
    mortal.alive = true;
    const living = (await second.lane(mortal, { limits }))!;
    expect(living.totals()).toMatchObject({ accepted: TOTAL, dropped });
    await second.live(given);
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: TOTAL, dropped, stored: TOTAL - dropped });
    expect(new Set(mortal.names).size).toBe(TOTAL - dropped);
  });
});

test('killed at any step of giving up, a lane counts each row once, and tells each gap', async () => {
  const run = async (at: number): Promise<{ steps: number; killed: boolean }> => {
    let result = { steps: 0, killed: false };
    await World.run(async (world) => {
      const letters: Letter[] = [];
      const fuse = new Fuse(at, at % 2 === 0 ? 'before' : 'after');
      const first = await world.begin(fuse, small);
      const dead = await first?.lane(new Mortal('in a send'), { drop_oldest: true, limits });
      const burier = dead === undefined ? undefined : await collect(first!, letters);
      if (burier !== undefined) {
        const lanes = [dead!, burier].map(({ lane }) => lane.run(first!.abort.signal));
        const fed = first!.feed(given).then(async () => {
          while (dead!.totals().dropped < TOTAL / 4) await settled();
        });
        await Promise.race([fed, fuse.died]);
        void lanes;
      }
      const killed = fuse.dead;
      await fuse.over();
      result = { steps: fuse.steps, killed };

      const second = (await world.begin(new Fuse(), small))!;
      const mortal = new Mortal('in a send');
      mortal.alive = true;
      await second.lane(mortal, { drop_oldest: true, limits });
      await collect(second, letters);
      const [living] = second.lanes;
      const late = second.lanes[1]!.lane.run(second.abort.signal);
      await Promise.all([second.feed(given), living!.lane.run(second.abort.signal)]);
      await second.spool.close();
      await late;
      const { accepted, stored, dropped, lost } = living!.totals();
      expect({ accepted, lost, sum: stored + dropped }).toEqual({ accepted: TOTAL, lost: 0, sum: TOTAL });
      // Told at least once: the letter is on the disk before the cursor.
      const told = new Set(
        gaps(letters).flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, n) => from + n)),
      );
      expect(told.size * ROWS).toBeGreaterThanOrEqual(dropped);
      expect(new Set(mortal.names).size).toBe(stored);
      await second.spool.dispose();
      await second.fuse.over();
    });
    return result;
  };
  const { steps } = await run(Number.POSITIVE_INFINITY);
  let kills = 0;
  for (let at = 1; at < steps; at += Math.ceil(steps / 12)) if ((await run(at)).killed) kills += 1;
  expect(kills).toBeGreaterThan(8);
});

test('a sink that may not drop holds the source back instead, and nothing is lost', async () => {
  await World.run(async (world) => {
    const life = (await world.begin(new Fuse(), small))!;
    const mortal = new Mortal('in a send');
    const dead = (await life.lane(mortal, { limits }))!;
    const well = (await life.lane(new ScriptedSink(undefined, 'well', ['steps']), { limits, drop_oldest: true }))!;
    let fed = false;
    const feeding = life.feed(given).then(() => {
      fed = true;
    });
    const running = life.lanes.map(({ lane }) => lane.run(life.abort.signal));
    while (!life.spool.usage().full) await settled();
    for (let turn = 0; turn < 200; turn++) await settled();
    expect(fed).toBe(false);
    const held = dead.totals().accepted;
    expect(held).toBeLessThan(TOTAL);
    expect([dead.totals().dropped, well.totals().dropped]).toEqual([0, 0]);
    expect(dead.lane.pending()).toBe(held);
    mortal.alive = true;
    await feeding;
    await Promise.all(running);
    expect([dead, well].map(({ totals }) => totals())).toEqual(
      [dead, well].map(() => ({ ...NO_TOTALS, accepted: TOTAL, stored: TOTAL })),
    );
    await life.stop();
  });
});

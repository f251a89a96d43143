import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockOf } from '../../src/delivery/block.ts';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { rowAt, split, type LanePart } from '../../src/delivery/part.ts';
import { STORED } from '../../src/sinks/sink.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import { HastyClock, settled } from '../support/fake-clock.ts';
import { batchOf, gap, never, Plant, poison, ScriptedSink, stepsOf } from './scripted.ts';

/** Records of 1 to 6 rows, some of them poison: `p3` is, `r3` is not. */
const records = fc
  .array(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 })
  .map((list) => {
    let number = 0;
    return list.map((rows) => rows.map((bad) => `${bad ? 'p' : 'r'}${number++}`));
  });

test('poison rows, however many and wherever, become dead letters, and every other row is stored once', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (list) => {
      const plant = new Plant();
      const sink = new ScriptedSink((part) => (stepsOf(part).some((step) => step[0] === 'p') ? poison() : STORED));
      const rig = plant.lane(sink);
      const letters = plant.spool.reader('letters', { until: 'lanes' });
      for (const rows of list) await plant.spool.append(batchOf(rows));
      plant.spool.end();
      await rig.lane.run(never);

      const all = list.flat();
      const good = sink.sent.filter((part) => stepsOf(part).every((step) => step[0] === 'r')).flatMap(stepsOf);
      expect(good).toEqual(all.filter((step) => step[0] === 'r'));
      const bad = all.filter((step) => step[0] === 'p');
      expect(rig.totals()).toEqual({
        ...NO_TOTALS,
        accepted: all.length,
        stored: good.length,
        dead_lettered: bad.length,
      });
      expect([rig.lane.pending(), gap(rig)]).toEqual([0, 0]);
      expect(new Set(sink.sent.map(({ token }) => token)).size).toBe(sink.sent.length);

      await plant.spool.close();
      const taken = await letters.take({ max_rows: 1e6, max_bytes: 1e9, linger_ms: 0 }, never);
      const raws = taken.flatMap(({ batch }) =>
        batch.rows
          .filter(({ table }) => table === 'rejections')
          .flatMap(({ bytes }) => bytes.toString('utf8').trimEnd().split('\n'))
          .map((line) => JSON.parse(line) as { raw: string; row: string; code: string }),
      );
      expect(raws.map(({ raw }) => (JSON.parse(raw) as { step: string }).step)).toEqual(bad);
      // The id says where in the spool the row stands: the record, and the row in it.
      const ids = list.flatMap((rows, seq) => rows.map((step, i) => ({ step, id: `-${seq + 1}-${i}` })));
      const expected = ids.filter(({ step }) => step[0] === 'p').map(({ id }) => `${plant.spool.src}${id}`);
      expect(raws.map(({ row }) => row)).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('one poison row costs no more sends than two for each halving', async () => {
  for (let place = 0; place < 64; place++) {
    const plant = new Plant();
    const sink = new ScriptedSink((part) => (stepsOf(part).includes('p') ? poison() : STORED));
    const rig = plant.lane(sink);
    await plant.spool.append(batchOf(Array.from({ length: 64 }, (_, row) => (row === place ? 'p' : `r${row}`))));
    plant.spool.end();
    await rig.lane.run(never);
    expect(sink.sent).toHaveLength(1 + 2 * 6);
    expect(rig.counts.splits).toBe(6);
  }
});

async function wholePart(sizes: readonly number[]): Promise<LanePart> {
  const spool = new MemorySpool({ clock: new HastyClock(), max_bytes: 1 << 26 });
  const reader = spool.reader('test');
  let number = 0;
  for (const size of sizes) {
    await spool.append(
      batchOf(
        Array.from({ length: size }, () => `r${number++}`),
        ['a log'],
      ),
    );
  }
  const taken = await reader.take({ max_rows: 1e6, max_bytes: 1e9, linger_ms: 0 }, never);
  return blockOf(taken, new Set(['steps']), spool.last, false).parts[0]!;
}

test('halves and halves of halves cover every row once, in order, under tokens that say which rows they are', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.infiniteStream(fc.boolean()), fc.boolean(), async (list, choices, marked) => {
      const whole = await wholePart(list);
      const bits = Uint8Array.from({ length: whole.count }, (_, row) => row % 2);
      const leaves: LanePart[] = [];
      const walk = (part: LanePart): void => {
        expect(stepsOf(part)).toHaveLength(part.count);
        if (part.count === 1 || (part.count < whole.count && choices.next().value)) leaves.push(part);
        else split(part).forEach(walk);
      };
      walk(marked ? { ...whole, settled: bits } : whole);
      expect(leaves.flatMap(stepsOf)).toEqual(stepsOf(whole));
      for (const leaf of leaves) {
        const first = stepsOf(whole).indexOf(stepsOf(leaf)[0]!);
        const range = leaf.count === whole.count ? '' : `/${first}-${first + leaf.count - 1}`;
        expect(leaf.token).toBe(`${whole.token}${range}`);
        const settledRows = marked ? bits.slice(first, first + leaf.count) : undefined;
        expect(leaf.settled).toEqual(settledRows);
        for (let row = 0; row < leaf.count; row++) {
          const { slice, row: at } = rowAt(leaf, row);
          expect(stepsOf({ ...leaf, slices: [{ ...slice, from: at, to: at + 1 }] })).toEqual([stepsOf(leaf)[row]]);
        }
      }
      expect(() => rowAt(whole, whole.count)).toThrow(RangeError);
    }),
    { numRuns: 100 },
  );
});

test('dead letters of a lane do not wait for room in a full spool', async () => {
  const plant = new Plant(new HastyClock(), 1_000);
  const rig = plant.lane(new ScriptedSink(() => poison()));
  const buried: string[] = [];
  const burier = new ScriptedSink(
    (part) => {
      buried.push(...part.slices.map(({ rows }) => rows.bytes.toString('utf8')));
      return STORED;
    },
    'dead-letters',
    ['rejections'],
  );
  const burying = plant.lane(burier, { until: 'lanes' });
  const running = rig.lane.run(never);
  const last = burying.lane.run(never);
  const steps = Array.from({ length: 20 }, (_, n) => `p${n}`);
  for (const step of steps) await plant.spool.append(batchOf([step, `${step}b`]));
  plant.spool.end();
  await running;
  expect(burying.lane.state.state).toBe('running');
  await plant.spool.close();
  await last;
  expect(rig.totals()).toEqual({ ...NO_TOTALS, accepted: 40, stored: 0, dead_lettered: 40 });
  expect(burying.totals()).toEqual({ ...NO_TOTALS, accepted: 40, stored: 40, dead_lettered: 0 });
  expect(buried.join('').split('\n')).toHaveLength(41);
  await settled();
  expect(plant.spool.usage().bytes).toBe(0);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diskFs } from '../../src/spool/files.ts';
import { leastOf, readCursors } from '../../src/delivery/cursor.ts';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { Fuse, type Death } from '../support/mortal.ts';
import { World, type Given } from './lives.ts';
import { retry, ScriptedSink, stepsOf } from './scripted.ts';
import { hold, IdServer, isPoison, timeout, TokenServer, type Act, type Server } from './servers.ts';

/** Five records; the process ends in order, having delivered nothing. */
async function undelivered(world: World): Promise<Given[]> {
  const given = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ steps: [`${name}1`, `${name}2`], logs: [`${name}3`] }));
  const life = (await world.begin())!;
  const living = (await life.lane(new ScriptedSink(() => retry())))!;
  const running = living.lane.run(life.abort.signal);
  await life.feed(given);
  life.abort.abort();
  await running;
  await life.stop();
  return given;
}

test.each([
  [[3], 'payload'],
  [[3], 'header'],
  [[1], 'payload'],
  [[5], 'payload'],
  [[1, 2], 'header'],
  [[4, 5], 'payload'],
  [[1, 2, 3, 4, 5], 'payload'],
] as const)(
  'when the records %j are damaged in their %s, their rows are counted as lost, and all others are stored',
  async (damaged, where) => {
    await World.run(async (world) => {
      const given = await undelivered(world);
      for (const seq of damaged.toReversed()) await world.damage(seq, where);
      const life = (await world.begin())!;
      const sink = new ScriptedSink();
      const living = (await life.lane(sink))!;
      expect(living.lane.pending()).toBe(15);
      await life.live(given);
      const rest = given.filter((_, n) => !damaged.some((seq) => seq === n + 1));
      const names = rest.flatMap(({ steps, logs }) => [...steps, ...logs]);
      expect(sink.sent.flatMap(stepsOf).sort()).toEqual(names.sort());
      expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 15, stored: names.length, lost: 3 * damaged.length });
      expect(living.lane.pending()).toBe(0);
      expect(world.said.length).toBeGreaterThan(0);

      // The next process knows it, and does not count it again.
      const next = (await world.begin())!;
      const later = (await next.lane(new ScriptedSink()))!;
      expect(later.totals()).toEqual(living.totals());
      await next.live([...given, { steps: ['f'], logs: [] }]);
      expect(later.totals()).toMatchObject({ accepted: 16, stored: names.length + 1, lost: 3 * damaged.length });
    });
  },
);

test('of a block that was half delivered when a record of it was damaged, only what was not settled is lost', async () => {
  await World.run(async (world) => {
    const given = [
      { steps: ['a', 'b'], logs: ['x'] },
      { steps: ['c', 'p'], logs: ['y'] },
      { steps: ['d', 'e'], logs: ['z'] },
    ];
    const server = new TokenServer();
    const first = (await world.begin())!;
    await first.feed(given);
    const sink = server.sink(undefined);
    const stuck = (await first.lane(
      {
        ...sink,
        // Four halves in, it goes on no more: [a b c | p d e] is [a b c] [p] and then stuck.
        send: (part, signal) => (server.sent.length < 4 ? sink.send(part, signal) : Promise.reject(retry())),
      },
      { limits: { max_rows: 9, max_bytes: 1e9, linger_ms: 0 } },
    ))!;
    const running = stuck.lane.run(first.abort.signal);
    while (server.sent.length < 4 || stuck.lane.state.state !== 'retrying') {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    first.abort.abort();
    await running;
    await first.stop();
    expect(stuck.totals()).toMatchObject({ stored: 3, dead_lettered: 1 });
    await world.damage(2);

    const second = (await world.begin())!;
    const living = (await second.lane(server.sink(undefined)))!;
    expect(living.lane.pending()).toBe(5);
    await second.live(given);
    // Of the damaged record its log alone was not settled.
    expect(living.totals()).toEqual({ ...NO_TOTALS, accepted: 9, stored: 7, dead_lettered: 1, lost: 1 });
    expect([...server.rows.values()]).toEqual([1, 1, 1, 1, 1, 1, 1]);
    const last = server.sent.slice(4).map(({ table, token, ids }) => `${table} ${token.slice(30)} ${ids.length}`);
    expect(last).toEqual(['steps 1-3/4-5 2', 'logs 1-3/0-0 1', 'logs 1-3/2-2 1']);
  });
});

let number = 0;
const name = fc.nat(9).map((n) => `${n === 0 ? 'p' : 'r'}${number++}`);
const given = fc.array(fc.record({ steps: fc.array(name, { maxLength: 5 }), logs: fc.array(name, { maxLength: 3 }) }), {
  minLength: 2,
  maxLength: 8,
});

test('whatever was under way when a process was killed, damaged records cost their own rows and no others', async () => {
  const nothing = (): boolean => false;
  const act = fc.constantFrom<Act>(
    {},
    { answers: timeout() },
    { answers: hold() },
    { stores: nothing, knows: false, answers: retry() },
    { stores: (place) => place % 2 === 0, knows: false, answers: timeout() },
  );
  const acts = fc.array(act, { maxLength: 12 });
  const death = fc.constantFrom<Death>('before', 'after', 'torn');
  const kill = fc.integer({ min: 8, max: 45 });
  const story = fc.record({
    given,
    acts,
    at: kill,
    how: death,
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
  });
  let losses = 0;
  await fc.assert(
    fc.asyncProperty(story, fc.boolean(), async ({ given: records, acts: list, at, how, picks }, ids) => {
      await World.run(async (world) => {
        const server: Server = ids ? new IdServer() : new TokenServer();
        server.acts = [...list];
        const fuse = new Fuse(at, how);
        const life = await world.begin(fuse);
        const killed = await life?.lane(server.sink(fuse));
        if (killed === undefined || !(await life!.live(records))) return;
        // The newest record of a source says where it stood: without it, the source is read again from the one before.
        // And of a group that nobody has seen committed, all counts as never written: then it is read again as a whole.
        const { seq: seen } = leastOf((await readCursors(diskFs, world.directory)).values());
        const most = Math.max(Math.min(life!.newest - 1, seen), 0);
        const damaged = new Set(most === 0 ? [] : picks.map((pick) => 1 + (pick % most)));
        const gone: { id: string; step: string }[] = [];
        for (const seq of damaged) gone.push(...(await world.damage(seq)).filter(({ step }) => step));
        const there = new Set(server.rows.keys());

        const next = (await world.begin())!;
        const living = (await next.lane(server.sink(undefined)))!;
        await next.live(records);
        const { accepted, stored, dead_lettered, lost, dropped } = living.totals();
        losses += lost;
        const all = records.flatMap(({ steps, logs }) => [...steps, ...logs]);
        expect({ accepted, dropped, sum: stored + dead_lettered + lost }).toEqual({
          accepted: all.length,
          dropped: 0,
          sum: all.length,
        });
        // Every row that was not damaged is stored once, or a dead letter; of the others some may have been stored before.
        const bad = (steps: readonly string[]): number => steps.filter((step) => isPoison(step)).length;
        const before = gone.filter(({ id }) => there.has(id)).length;
        const gone_bad = bad(gone.map(({ step }) => step));
        expect([...server.rows.values()].every((times) => times === 1)).toBe(true);
        expect(server.rows.size).toBe(all.length - bad(all) - (gone.length - gone_bad) + before);
        expect(dead_lettered).toBeGreaterThanOrEqual(bad(all) - gone_bad);
        // A row may be lost to the lane that the sink had taken.
        expect(lost).toBeGreaterThanOrEqual(gone.length - gone_bad - before);
        expect(lost).toBeLessThanOrEqual(gone.length);
      });
    }),
    { numRuns: 150, endOnFailure: true },
  );
  expect(losses).toBeGreaterThan(50);
});

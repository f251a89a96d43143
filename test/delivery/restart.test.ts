import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fuse, type Death } from '../support/mortal.ts';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { World, type Given, type Living } from './lives.ts';
import { poison } from './scripted.ts';
import { hold, IdServer, isPoison, retry, timeout, TokenServer, type Act, type Server } from './servers.ts';

const RUNS = Number(process.env['STEPTAP_RUNS'] ?? 100);

/** A process that is killed at a step. */
interface Kill {
  readonly at: number;
  readonly how: Death;
}

interface Story {
  readonly given: readonly Given[];
  readonly kills: readonly Kill[];
  readonly memory_bytes: number;
}

/** How many processes were killed, and how many steps the last one made. */
const died = { times: 0, steps: 0 };

/** Lives a story to its end: one process after the other is killed, and the last one is left alone. Gives what that has counted. */
async function tell(
  world: World,
  server: Server,
  { given, kills, memory_bytes }: Story,
  forgets = false,
): Promise<Living> {
  for (const { at, how } of [...kills, { at: Number.POSITIVE_INFINITY, how: 'before' as const }]) {
    if (forgets) await world.forget('scripted');
    const fuse = new Fuse(at, how);
    const life = await world.begin(fuse, { memory_bytes });
    // A reader that keeps everything, so that what was in the spool can be looked at in the end.
    life?.spool.reader('keeper');
    const living = await life?.lane(server.sink(fuse));
    const killed = living === undefined || (await life!.live(given));
    await fuse.over();
    if (killed) died.times += 1;
    died.steps = fuse.steps;
    if (at === Number.POSITIVE_INFINITY && living !== undefined) return living;
  }
  throw new Error('the last process was killed');
}

/** Every row is stored once or a dead letter once; every token means one set of rows; every row has one block. */
async function exactlyOnce(world: World, server: Server, story: Story, last: Living): Promise<void> {
  const rows = story.given.flatMap(({ steps, logs }) => [...steps, ...logs]);
  const bad = rows.filter((step) => isPoison(step));
  expect([...server.rows].filter(([, times]) => times !== 1)).toEqual([]);
  expect(server.rows.size).toBe(rows.length - bad.length);
  const letters = await world.letters();
  const ids = letters.map(({ row }) => row!);
  expect({ letters: ids.length, distinct: new Set(ids).size }).toEqual({ letters: bad.length, distinct: bad.length });
  expect(ids.filter((id) => server.rows.has(id))).toEqual([]);
  expect(last.totals()).toEqual({
    ...NO_TOTALS,
    accepted: rows.length,
    stored: rows.length - bad.length,
    dead_lettered: bad.length,
  });
  expect(last.lane.pending()).toBe(0);
  const blocks = new Map<string, string>();
  for (const { table, token, ids: own } of server.sent) {
    for (const id of own) {
      const [block] = /^[0-9a-f]+-[0-9a-f]+-\d+-\d+/.exec(token)!;
      expect({ table, id, block }).toEqual({ table, id, block: blocks.get(id) ?? block });
      blocks.set(id, block);
    }
  }
}

/** A token server is never sent two sets of rows under one token. */
function sameRows(server: Server): void {
  const first = new Map<string, string>();
  for (const { table, token, ids } of server.sent) {
    const key = `${table} ${token}`;
    expect({ key, rows: ids.join() }).toEqual({ key, rows: first.get(key) ?? ids.join() });
    first.set(key, ids.join());
  }
}

let number = 0;
const name = fc.nat(9).map((n) => `${n === 0 ? 'p' : 'r'}${number++}`);
const given = fc.array(fc.record({ steps: fc.array(name, { maxLength: 5 }), logs: fc.array(name, { maxLength: 3 }) }), {
  minLength: 1,
  maxLength: 8,
});
const kills = fc.array(
  fc.record({ at: fc.integer({ min: 1, max: 45 }), how: fc.constantFrom<Death>('before', 'after', 'torn', 'stop') }),
  { maxLength: 8 },
);
const story: fc.Arbitrary<Story> = fc.record({ given, kills, memory_bytes: fc.constantFrom(0, 1000, 1 << 20) });

const some = fc.infiniteStream(fc.boolean()).map((bits) => {
  const known: boolean[] = [];
  return (place: number): boolean => {
    while (known.length <= place) known.push(bits.next().value);
    return known[place]!;
  };
});
const nothing = (): boolean => false;

test('killed or stopped again and again at any step, a lane stores every row once in a server with tokens', async () => {
  const act: fc.Arbitrary<Act> = fc.oneof(
    fc.constant<Act>({}),
    fc.constantFrom<Act>(
      { stores: nothing, knows: false, answers: retry() },
      { stores: nothing, knows: false, answers: hold() },
      { answers: timeout() },
      { stores: nothing, knows: false, answers: timeout() },
      // It remembers the token, and was killed before it had the rows.
      { stores: nothing, answers: timeout() },
    ),
    some.map((stores): Act => ({ stores, answers: timeout() })),
  );
  // Thrice for one part, and it would be the server that is to blame: see doubt.test.ts.
  const acts = fc.array(act, { maxLength: 20 }).map((list) => {
    let losses = 0;
    return list.map((each) => (each.stores !== undefined && each.knows !== false && losses++ >= 2 ? {} : each));
  });
  const asked = fc.array(fc.option(fc.constantFrom(retry(), hold(), poison()), { nil: undefined, freq: 3 }));
  died.times = 0;
  await fc.assert(
    fc.asyncProperty(story, acts, asked, async (own, list, unanswered) => {
      await World.run(async (world) => {
        const server = new TokenServer();
        server.acts = [...list];
        server.unanswered.push(...unanswered);
        const last = await tell(world, server, own);
        await exactlyOnce(world, server, own, last);
        sameRows(server);
        expect(last.counts).toEqual({ duplicated: 0, unconfirmed: 0 });
      });
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  expect(died.times).toBeGreaterThan(RUNS / 2);
});

test('killed or stopped again and again at any step, a lane stores every row once in a server with ids', async () => {
  const act: fc.Arbitrary<Act> = fc.oneof(
    fc.constantFrom<Act>({}, { answers: timeout() }, { stores: nothing, answers: retry() }, { answers: hold() }),
    some.map((stores): Act => ({ stores })),
    some.map((stores): Act => ({ stores, answers: timeout() })),
  );
  died.times = 0;
  await fc.assert(
    fc.asyncProperty(
      story,
      fc.array(act, { maxLength: 20 }),
      fc.integer({ min: 1, max: 9 }),
      async (own, acts, most) => {
        await World.run(async (world) => {
          const server = new IdServer();
          server.acts = [...acts];
          server.most = most;
          const last = await tell(world, server, own);
          await exactlyOnce(world, server, own, last);
        });
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
  expect(died.times).toBeGreaterThan(RUNS / 2);
});

test('killed at each step of a run with splits, repairs and dead letters, a lane stores every row once', async () => {
  const own = {
    given: [
      { steps: ['a', 'b', 'c', 'p1'], logs: ['d'] },
      { steps: ['e'], logs: [] },
      { steps: ['f', 'p2'], logs: ['g', 'h', 'i'] },
    ],
    memory_bytes: 1000,
  };
  const acts = (): Act[] => [
    { stores: (place) => place % 2 === 0, answers: timeout() },
    { stores: nothing, answers: timeout() },
    { answers: hold() },
    { answers: timeout() },
  ];
  const once = async (kills: readonly Kill[]): Promise<void> => {
    await World.run(async (world) => {
      const server = new TokenServer();
      server.acts = acts();
      const last = await tell(world, server, { ...own, kills });
      await exactlyOnce(world, server, { ...own, kills }, last);
      sameRows(server);
    });
  };
  await once([]);
  const { steps } = died;
  expect(steps).toBeGreaterThan(50);
  for (const how of ['before', 'after', 'torn'] as const) {
    for (let at = 1; at <= steps; at++) await once([{ at, how }]);
  }
});

test('without a cursor, in a server that knows neither tokens nor ids, the same kills store rows twice', async () => {
  let twice = 0;
  for (let at = 1; at <= 60; at += 3) {
    await World.run(async (world) => {
      const server = new IdServer();
      server.deduplicates = false;
      const own = {
        given: [
          { steps: ['a', 'b'], logs: ['c'] },
          { steps: ['d'], logs: [] },
        ],
        memory_bytes: 0,
      };
      await tell(world, server, { ...own, kills: [{ at, how: 'after' }] }, true);
      expect(server.rows.size).toBe(4);
      twice += [...server.rows.values()].filter((times) => times > 1).length;
    });
  }
  expect(twice).toBeGreaterThan(10);
});

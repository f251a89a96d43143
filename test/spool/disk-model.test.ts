import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SIZES, World } from './disk-world.ts';

/** Something that a source, a lane, an operator or fate does; its name is what a failure shows. */
class Action {
  readonly name: string;
  readonly run: (world: World) => void | Promise<void>;

  constructor(name: string, run: (world: World) => void | Promise<void>) {
    this.name = name;
    this.run = run;
  }

  [fc.toStringMethod](): string {
    return this.name;
  }
}

const HOUR_MS = 3_600_000;

const appending = fc.tuple(fc.nat(1), fc.nat(SIZES.length - 1)).map(([n, size]) => {
  return new Action(`${n} appends ${SIZES[size]}`, (world) => world.append(world.sources[n]!, SIZES[size]!));
});

const several = fc.tuple(fc.nat(1), fc.integer({ min: 2, max: 12 })).map(([n, count]) => {
  return new Action(`${n} appends ${count} at once`, (world) => {
    for (let each = 0; each < count; each++) world.append(world.sources[n]!, SIZES[1 + (each % 2)]!);
  });
});

const letter = fc.constant(new Action('a lane appends', (world) => world.appendLetter()));

const limits = fc.record({
  max_rows: fc.integer({ min: 1, max: 30 }),
  max_bytes: fc.constantFrom(1, 2_000, 400_000),
  linger_ms: fc.nat(200),
});

const taking = fc.tuple(fc.nat(2), limits).map(([n, limit]) => {
  return new Action(`${n} takes ${JSON.stringify(limit)}`, (world) =>
    world.take(world.lanes[n % world.lanes.length]!, limit),
  );
});

const settling = fc
  .tuple(fc.nat(2), fc.constantFrom('synced' as const, 'written' as const, 'not written' as const))
  .map(([n, cursor]) => {
    return new Action(`${n} settles, its cursor is ${cursor}`, (world) =>
      world.settle(world.lanes[n % world.lanes.length]!, cursor),
    );
  });

const asking = fc.nat(2).map((n) => {
  return new Action(`${n} is asked for its age`, (world) => void world.lanes[n % world.lanes.length]!.reader.oldest());
});

const waiting = fc.constantFrom(1, 20, 250, 70_000).map((ms) => new Action(`${ms} ms pass`, (world) => world.step(ms)));

const setting = fc
  .constantFrom(-HOUR_MS, 24 * HOUR_MS, 87_660 * HOUR_MS)
  .map((ms) => new Action(`the clock is set ${ms} ms`, (world) => world.clock.set(ms)));

const filling = fc.nat(3_000_000).map((bytes) => {
  return new Action(`${bytes} bytes are left on the disk`, (world) => void (world.fs.capacity = world.fs.used + bytes));
});

const emptying = fc.constant(
  new Action('there is room', (world) => void (world.fs.capacity = Number.POSITIVE_INFINITY)),
);

const failing = fc
  .tuple(
    fc.subarray(['write', 'short', 'datasync', 'truncate', 'unlink', 'syncDirectory', 'open'], {
      minLength: 1,
      maxLength: 3,
    }),
    fc.nat(3),
    fc.integer({ min: 1, max: 2 }),
  )
  .map(([what, after, count]) => {
    return new Action(`${count} times, after ${after}, ${what.join(', ')} fail`, (world) => {
      const asked = new Map<string, number>();
      world.fs.plan = (operation) => {
        const short = operation === 'write' && what.includes('short');
        if (!short && !what.includes(operation)) return undefined;
        const times = (asked.get(operation) ?? 0) + 1;
        asked.set(operation, times);
        // After five in a row the spool says that the disk is broken.
        if (times <= after || times > after + count || (world.faults += 1) > 4) return undefined;
        return short ? { short: 100 * after } : 'EIO';
      };
    });
  });

const dying = fc
  .tuple(fc.constantFrom('kill' as const, 'power cut' as const), fc.nat(12), fc.boolean())
  .map(([how, after, busy]) => {
    return new Action(`${how} after ${after} writes${busy ? ', busy' : ''}`, async (world) => {
      if (busy) {
        world.fs.dieAfter(after);
        for (const source of world.sources) for (let n = 0; n < 4; n++) world.append(source, SIZES[1 + (n % 3)]!);
        for (const lane of world.lanes) world.take(lane, { linger_ms: 0 });
        await world.step(25);
        for (const lane of world.lanes) world.settle(lane, 'synced');
        await world.step(25);
      }
      await world.die(how);
    });
  });

const restarting = fc.constant(
  new Action('a restart', async (world) => {
    world.fs.plan = () => undefined;
    world.fs.capacity = Number.POSITIVE_INFINITY;
    // What waits for room would be given up by a restart, and sent again.
    if (world.pending === 0) await world.restart();
  }),
);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: appending },
  { weight: 3, arbitrary: several },
  { weight: 1, arbitrary: letter },
  { weight: 8, arbitrary: taking },
  { weight: 8, arbitrary: settling },
  { weight: 1, arbitrary: asking },
  { weight: 4, arbitrary: waiting },
  { weight: 1, arbitrary: setting },
  { weight: 1, arbitrary: filling },
  { weight: 1, arbitrary: emptying },
  { weight: 2, arbitrary: failing },
  { weight: 3, arbitrary: dying },
  { weight: 1, arbitrary: restarting },
);

const options = fc.record({
  seed: fc.nat(),
  lanes: fc.array(
    fc.nat(3).map((n) => n === 0),
    { minLength: 1, maxLength: 3 },
  ),
  memory_bytes: fc.constantFrom(0, 100_000, 100_000_000),
  max_bytes: fc.constantFrom(1_000_000, 7_000_000, 100_000_000),
  sync: fc.constantFrom('group' as const, 'group' as const, 'always' as const, 'never' as const),
});

const RUNS = Number(process.env['STEPTAP_RUNS'] ?? 120);

test(
  'whatever dies, fills up or fails, every batch is in the spool once, and every lane is given it once and in order',
  { timeout: RUNS * 2_000 },
  async () => {
    const checked = fc.assert(
      fc.asyncProperty(options, fc.array(action, { minLength: 10, maxLength: 80 }), async (choice, actions) => {
        const world = new World(choice);
        await world.start();
        for (const each of actions) {
          await each.run(world);
          await world.step();
        }
        await world.finish();
        await world.restart();
        await world.finish();
      }),
      { numRuns: RUNS },
    );
    await expect(checked).resolves.toBeUndefined();
  },
);

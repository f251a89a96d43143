import assert from 'node:assert/strict';
import { expect, test } from 'vitest';
import type { DiskSpool } from '../../src/spool/disk.ts';
import type { SpoolReader } from '../../src/spool/spool.ts';
import { settled } from '../support/fake-clock.ts';
import { OracleFs } from '../support/oracle-fs.ts';
import { batchOf, SetClock } from './disk-world.ts';
import { never, open } from './scenes.ts';

const HOUR_MS = 3_600_000;
const JUMPS: readonly [string, number][] = [
  ['an hour back', -HOUR_MS],
  ['a day on', 24 * HOUR_MS],
  ['ten years on', 87_660 * HOUR_MS],
];
const LIMITS = { max_rows: 1_000, max_bytes: 1 << 20, linger_ms: 1_000 };

/** What a promise has come to by now. */
async function now<T>(promise: Promise<T>): Promise<T | 'waits'> {
  await settled();
  return Promise.race([promise, Promise.resolve('waits' as const)]);
}

/** Appends so many, one commit after the other, and says how long that took. */
async function append(spool: DiskSpool, clock: SetClock, from: number, count: number): Promise<number> {
  const began = clock.monotonic();
  for (let number = from; number < from + count; number++) {
    const appended = spool.append(batchOf('a', number, 1));
    const done = appended.then(() => 'done');
    for (let waited = 0; (await now(done)) === 'waits'; waited++) {
      assert(waited < 100);
      await clock.advance(1);
    }
  }
  return clock.monotonic() - began;
}

/** What is there, and how long a take waits for more. */
async function take(
  reader: SpoolReader,
  clock: SetClock,
): Promise<{ numbers: unknown[]; days: string[]; waited: number }> {
  const began = clock.monotonic();
  const taking = reader.take(LIMITS, never);
  while ((await now(taking)) === 'waits') {
    assert(clock.monotonic() - began < 5_000);
    await clock.advance(10);
  }
  const records = await taking;
  return {
    numbers: records.map(({ batch }) => batch.position['at']),
    days: records.map(({ day }) => day),
    waited: clock.monotonic() - began,
  };
}

test.each(JUMPS)('when the clock is set %s, nothing is lost or twice, and nobody waits longer', async (_, ms) => {
  const clock = new SetClock('2026-11-21T12:00:00Z');
  const { spool } = await open('/spool', { fs: new OracleFs(1), clock, sync: 'group', memory_bytes: 1 << 20 });
  const reader = spool.reader('lane');
  const usual = await append(spool, clock, 0, 3);
  clock.set(ms);
  expect(await append(spool, clock, 3, 3)).toBe(usual);
  const first = await take(reader, clock);
  const second = first.numbers.length < 6 ? await take(reader, clock) : undefined;
  expect([...first.numbers, ...(second?.numbers ?? [])]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(new Set(first.days).size).toBe(1);
  expect(first.waited + (second?.waited ?? 0)).toBeLessThanOrEqual(LIMITS.linger_ms);
  // Committed after it, and not long ago.
  await append(spool, clock, 6, 1);
  expect((await take(reader, clock)).waited).toBeLessThanOrEqual(LIMITS.linger_ms);
  expect(Math.max(...clock.slept)).toBeLessThanOrEqual(LIMITS.linger_ms);
});

test.each(JUMPS)(
  'when the clock is set %s between two runs, nothing is lost or twice, and nobody waits longer',
  async (_, ms) => {
    const fs = new OracleFs(1);
    const first = new SetClock('2026-11-21T12:00:00Z');
    const before = await open('/spool', { fs, clock: first, sync: 'group', memory_bytes: 1 << 20 });
    await append(before.spool, first, 0, 3);
    const clock = new SetClock('2026-11-21T12:00:01Z');
    clock.set(ms);
    const { spool } = await open('/spool', { fs: fs.crash('kill'), clock, sync: 'group', memory_bytes: 1 << 20 });
    const reader = spool.reader('lane');
    expect(spool.positions.get('a')).toEqual({ at: 2 });
    expect(await append(spool, clock, 3, 1)).toBeLessThanOrEqual(30);
    const old = await take(reader, clock);
    expect([old.numbers, old.days[0]]).toEqual([[0, 1, 2], '2026-11-21']);
    expect(old.waited).toBeLessThanOrEqual(LIMITS.linger_ms);
    const fresh = await take(reader, clock);
    expect(fresh.numbers).toEqual([3]);
    expect(old.waited + fresh.waited).toBeLessThanOrEqual(2 * LIMITS.linger_ms);
    // An age is never negative, and never from before there was steptap.
    expect(reader.oldest() ?? 0).toBeLessThanOrEqual(clock.monotonic());
    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(LIMITS.linger_ms);
  },
);

test('when the clock is set while sources wait for room, they go on as soon as there is some', async () => {
  for (const [, ms] of JUMPS) {
    const clock = new SetClock('2026-11-21T12:00:00Z');
    const fs = new OracleFs(1);
    const { spool } = await open('/spool', { fs, clock, sync: 'group', max_bytes: 1 << 30 });
    fs.capacity = fs.used + 10_000;
    const appended = spool.append(batchOf('a', 0, 1));
    await clock.advance(1_000);
    clock.set(ms);
    await clock.advance(1_000);
    expect(spool.usage().full).toBe(true);
    fs.capacity = Number.POSITIVE_INFINITY;
    await clock.advance(250);
    expect(await appended).toEqual({ seq: 1 });
  }
});

import { expect, test } from 'vitest';
import { MOST_READERS } from '../../src/live/feed.ts';
import type { LiveEvent, Missed } from '../../src/live/subscription.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { SRC, Storing, TS } from './parts.ts';

const clock = new FakeClock();

const short = (items: readonly (LiveEvent | Missed)[] | undefined): unknown[] =>
  (items ?? []).map((item) => ('missed' in item ? `missed ${item.missed}` : (JSON.parse(item.row) as { n: number }).n));

test('a row is shown as it is stored, with what it is known by', async () => {
  const storing = new Storing(clock);
  const reader = storing.reader();
  storing.store({
    steps: [
      { kind: 'step', n: 1 },
      { kind: 'step', n: 2 },
    ],
    rejections: [{ n: 3 }],
    logs: [{ kind: 'log', big: 4 }],
  });
  const [, second, third] = (await reader.take(1_000)) ?? [];
  expect(second).toEqual({
    table: 'steps',
    id: `${SRC}-1-1`,
    kind: 'step',
    row: `{"ts":"${TS}","kind":"step","n":2,"_src":"${SRC}","_seq":1,"_i":1,"_day":"2026-11-21"}`,
  });
  // Rejections are numbered, too, and are nobody's to see.
  expect(third).toMatchObject({ table: 'logs', id: `${SRC}-1-3`, kind: 'log' });
});

test('a reader gets the tables that it wants, and of those what its filter lets through', async () => {
  const storing = new Storing(clock);
  const failed = storing.reader('status = error and attributes.loss < 0.5');
  const logs = storing.reader(undefined, ['logs']);
  storing.store({
    steps: [
      { n: 1, status: 'error', attributes: { loss: '0.4' } },
      { n: 2, status: 'error', attributes: { loss: '0.6' } },
      { n: 3, status: 'success', attributes: { loss: '0.1' } },
    ],
    logs: [{ n: 4 }],
  });
  expect(short(await failed.take(1_000))).toEqual([1]);
  expect(short(await logs.take(1_000))).toEqual([4]);
});

test('memory that is used again for other rows changes nothing that is shown', async () => {
  const storing = new Storing(clock);
  const reader = storing.reader();
  const { batch } = storing.store({ steps: [{ n: 1 }] });
  for (const { bytes, ends } of batch.rows) {
    bytes.fill(0x78);
    ends.fill(0);
  }
  expect(short(await reader.take(1_000))).toEqual([1]);
});

test('without readers no row is looked at', () => {
  const storing = new Storing(clock);
  storing.reader().close();
  const record = storing.store({ steps: [{ n: 1 }] });
  const untouchable = new Proxy(record, {
    get: () => {
      throw new Error('looked at');
    },
  });
  expect(() => storing.feed.record(untouchable)).not.toThrow();
  storing.reader();
  expect(() => storing.feed.record(untouchable)).toThrow('looked at');
});

test('who comes later begins behind what was committed before', async () => {
  const storing = new Storing(clock);
  const first = storing.reader();
  storing.store({ steps: [{ n: 1 }] });
  const second = storing.reader();
  storing.store({ steps: [{ n: 2 }] });
  await settled();
  expect(short(await first.take(1_000))).toEqual([1, 2]);
  expect(short(await second.take(1_000))).toEqual([2]);
});

test('a slow reader is told how many it missed, where it missed them, and the others miss nothing', async () => {
  const own = new FakeClock();
  const storing = new Storing(own);
  const slow = storing.reader();
  const quick = storing.reader('n > 1190');
  storing.store({ steps: Array.from({ length: 1_200 }, (_, n) => ({ n })) });
  await own.advance(1_000);
  const seen: unknown[] = [];
  while (seen.length < 1_000) seen.push(...short(await slow.take(1_000)));
  expect(seen).toEqual([...Array.from({ length: 1_000 }, (_, n) => n), 'missed 200']);
  storing.store({ steps: [{ n: 1_200 }] });
  await own.advance(1_000);
  expect(short(await slow.take(1_000))).toEqual([1_200]);
  expect(short(await quick.take(1_000))).toEqual([
    1_191, 1_192, 1_193, 1_194, 1_195, 1_196, 1_197, 1_198, 1_199, 1_200,
  ]);
});

test('large events fill 4 MiB, and one that is larger is shown all the same', async () => {
  const own = new FakeClock();
  const storing = new Storing(own);
  const reader = storing.reader();
  const mib = (n: number, count: number): Record<string, unknown> => ({ n, message: 'x'.repeat(count << 20) });
  storing.store({ logs: [mib(1, 6), mib(2, 1)] });
  await own.advance(1_000);
  expect(short(await reader.take(1_000))).toEqual([1]);
  expect(short(await reader.take(1_000))).toEqual(['missed 1']);
});

test('what waits to be looked at has a bound: more is missed, and told', async () => {
  const own = new FakeClock();
  const storing = new Storing(own);
  const reader = storing.reader();
  const logs = storing.reader(undefined, ['logs']);
  for (let n = 0; n < 20; n++) storing.store({ steps: [{ n, message: 'x'.repeat(1 << 20) }] });
  storing.store({ logs: [{ n: 20 }] });
  await own.advance(1_000);
  const rows: unknown[] = [];
  let missed = 0;
  while (rows.length + missed < 21) {
    for (const item of short(await reader.take(0))) {
      if (typeof item === 'string') missed += Number(item.slice('missed '.length));
      else rows.push(item);
    }
  }
  // 7 of them fit, of which 4 MiB wait for the reader.
  expect([rows, missed]).toEqual([[0, 1, 2], 18]);
  expect(short(await logs.take(0))).toEqual([20]);
});

test('a fast run has its turns: of many rows 500 are looked at, then there is a pause', async () => {
  const own = new FakeClock();
  const storing = new Storing(own);
  const reader = storing.reader('n = 499 or n = 500');
  storing.store({ steps: Array.from({ length: 800 }, (_, n) => ({ n })) });
  await settled();
  expect(short(await reader.take(0))).toEqual([499]);
  expect(own.slept).toContain(10);
  await own.advance(10);
  expect(short(await reader.take(0))).toEqual([500]);
});

test('so is it when a filter takes its time: the rest comes later, and two thirds of the time are for others', async () => {
  class Busy extends FakeClock {
    worked = 0;
    override monotonic(): number {
      return super.monotonic() + this.worked;
    }
  }
  const own = new Busy();
  const storing = new Storing(own);
  const matches = (): boolean => {
    own.worked += 300;
    return true;
  };
  const filter = { matches, fields: [], toString: () => 'slow' };
  const { subscription } = storing.feed.subscribe({ tables: new Set(['steps']), filter })!;
  storing.store({ steps: [{ n: 1 }, { n: 2 }] });
  await settled();
  expect(short(await subscription.take(0))).toEqual([1]);
  expect(own.slept).toEqual([600]);
  await own.advance(600);
  expect(short(await subscription.take(0))).toEqual([2]);
});

test('there are 16 readers at most, and room again when one has left', () => {
  const storing = new Storing(clock);
  const readers = Array.from({ length: MOST_READERS }, () => storing.reader());
  expect(() => storing.reader()).toThrow('readers enough');
  readers[3]!.close();
  expect(() => storing.reader()).not.toThrow();
});

import { expect, test } from 'vitest';
import type { Batch } from '../../src/batch.ts';
import { batchBytes } from '../../src/batch.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import type { SpoolReader, SpoolRecord } from '../../src/spool/spool.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { rowsOf, stepRow } from '../support/rows.ts';

const never = new AbortController().signal;
const LIMITS = { max_rows: 1_000, max_bytes: 1 << 20, linger_ms: 1_000 };

function batch(rows = 1, padding = ''): Batch {
  const list = Array.from({ length: rows }, () => stepRow({ message: padding }));
  return { source: 'test', position: {}, lines: rows, rows: [rowsOf('steps', list)] };
}

const SIZE = batchBytes(batch());

function make(options: { max_bytes?: number; clock?: FakeClock } = {}): {
  spool: MemorySpool;
  clock: FakeClock;
  seen: SpoolRecord[];
} {
  const seen: SpoolRecord[] = [];
  const clock = options.clock ?? new FakeClock();
  const spool = new MemorySpool({
    clock,
    max_bytes: options.max_bytes ?? 1 << 20,
    appended: (record) => seen.push(record),
  });
  return { spool, clock, seen };
}

/** What a promise has come to by now. */
async function now<T>(promise: Promise<T>): Promise<T | 'waits'> {
  await settled();
  return Promise.race([promise, Promise.resolve('waits' as const)]);
}

const seqs = (records: readonly SpoolRecord[] | 'waits'): number[] | 'waits' =>
  records === 'waits' ? records : records.map(({ seq }) => seq);

test('rows are numbered through a record, table after table', async () => {
  const { spool, seen } = make();
  const rows = [
    rowsOf('steps', [stepRow(), stepRow()]),
    rowsOf('logs', [stepRow(), stepRow(), stepRow()]),
    rowsOf('events', [stepRow()]),
  ];
  expect(await spool.append({ source: 'test', position: {}, lines: 6, rows })).toEqual({ seq: 1 });
  expect(seen[0]).toMatchObject({ src: spool.src, seq: 1, day: '2026-11-21', bases: [0, 2, 5] });
});

test('two spools never have the same identity', () => {
  const names = new Set(Array.from({ length: 100 }, () => make().spool.src));
  expect(names.size).toBe(100);
  for (const name of names) expect(name).toMatch(/^[0-9a-f]{16}-[0-9a-f]{12}$/);
});

test('a full spool lets its sources wait, and admits them in their order as room is made', async () => {
  const { spool } = make({ max_bytes: 2 * SIZE });
  const reader = spool.reader('lane');
  const appends = Array.from({ length: 5 }, () => spool.append(batch()));
  const admitted = async (): Promise<unknown[]> => Promise.all(appends.map(now));
  expect(await admitted()).toEqual([{ seq: 1 }, { seq: 2 }, 'waits', 'waits', 'waits']);
  expect(seqs(await reader.take(LIMITS, never))).toEqual([1, 2]);
  reader.advance(1);
  expect(await admitted()).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }, 'waits', 'waits']);
  reader.advance(2);
  expect(await admitted()).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }, 'waits']);
  expect(spool.usage()).toEqual({ bytes: 2 * SIZE, max_bytes: 2 * SIZE, full: true });
});

test('room that is made in one go is not given away twice', async () => {
  const { spool } = make({ max_bytes: 2 * SIZE });
  const [first, second] = [spool.reader('a'), spool.reader('b')];
  for (let n = 0; n < 2; n++) await spool.append(batch());
  const waiting = Array.from({ length: 6 }, () => spool.append(batch()));
  for (const reader of [first, second]) await reader.take(LIMITS, never);
  first.advance(2);
  second.advance(1);
  first.advance(2);
  second.advance(2);
  second.advance(2);
  expect(spool.usage().bytes).toBeLessThanOrEqual(2 * SIZE);
  await settled();
  expect(spool.usage().bytes).toBe(2 * SIZE);
  expect(await Promise.all(waiting.map(now))).toEqual([{ seq: 3 }, { seq: 4 }, 'waits', 'waits', 'waits', 'waits']);
});

test('nobody overtakes who waits, not even in the moment in which room is made', async () => {
  const { spool, seen } = make({ max_bytes: SIZE });
  const reader = spool.reader('lane');
  const named = (source: string): Promise<unknown> => spool.append({ ...batch(), source });
  await named('first');
  void named('waited');
  await reader.take(LIMITS, never);
  reader.advance(1);
  void named('later');
  await settled();
  reader.advance(2);
  await settled();
  expect(seen.map(({ batch: { source } }) => source)).toEqual(['first', 'waited', 'later']);
});

test('a record that is larger than the whole spool goes in alone', async () => {
  const { spool } = make({ max_bytes: SIZE });
  const reader = spool.reader('lane');
  expect(await now(spool.append(batch(100)))).toEqual({ seq: 1 });
  const next = spool.append(batch());
  const large = spool.append(batch(50));
  expect(await now(next)).toBe('waits');
  await reader.take(LIMITS, never);
  reader.advance(1);
  expect(await now(next)).toEqual({ seq: 2 });
  expect(await now(large)).toBe('waits');
  await reader.take({ ...LIMITS, linger_ms: 0 }, never);
  reader.advance(2);
  expect(await now(large)).toEqual({ seq: 3 });
});

test('what a lane appends does not wait, and does not let others in', async () => {
  const { spool } = make({ max_bytes: SIZE });
  spool.reader('lane');
  await spool.append(batch());
  const waiting = spool.append(batch());
  expect(await now(spool.append(batch(), { reserved: true }))).toEqual({ seq: 2 });
  expect(await now(waiting)).toBe('waits');
});

test('a record is let go when the last reader has settled it, and its memory is given back once', async () => {
  const given: number[] = [];
  const clock = new FakeClock();
  const spool = new MemorySpool({ clock, max_bytes: 1 << 20, settled: ({ seq }) => given.push(seq) });
  const [first, second] = [spool.reader('a'), spool.reader('b')];
  for (let n = 0; n < 3; n++) await spool.append(batch());
  first.advance(3);
  expect([given, spool.usage().bytes]).toEqual([[], 3 * SIZE]);
  second.advance(2);
  expect([given, spool.usage().bytes]).toEqual([[1, 2], SIZE]);
  second.advance(1);
  expect([first.settled.seq, second.settled.seq]).toEqual([3, 2]);
  second.advance(3);
  expect([given, spool.usage().bytes]).toEqual([[1, 2, 3], 0]);
});

test('a reader waits for a first record, then lingers for more from when that was committed', async () => {
  const { spool, clock } = make();
  const reader = spool.reader('lane');
  const taking = reader.take(LIMITS, never);
  expect(await now(taking)).toBe('waits');
  await clock.advance(5_000);
  await spool.append(batch());
  await clock.advance(999);
  await spool.append(batch());
  expect(await now(taking)).toBe('waits');
  await clock.advance(1);
  expect(seqs(await now(taking))).toEqual([1, 2]);
  // It was committed long ago when it is asked for: nothing to linger for.
  await spool.append(batch());
  await clock.advance(1_000);
  expect(seqs(await now(reader.take(LIMITS, never)))).toEqual([3]);
  expect(clock.sleeping).toBe(0);
});

test('a reader does not linger for what is enough, nor when somebody waits for room', async () => {
  const { spool } = make({ max_bytes: 4 * SIZE });
  const [rows, bytes, pressed] = [spool.reader('a'), spool.reader('b'), spool.reader('c')];
  const take = (reader: SpoolReader, limits: Partial<typeof LIMITS>): Promise<SpoolRecord[]> =>
    reader.take({ ...LIMITS, ...limits }, never);
  const taking = [take(rows, { max_rows: 2 }), take(bytes, { max_bytes: 2 * batch().rows[0]!.bytes.length })];
  const third = take(pressed, {});
  await spool.append(batch());
  expect(await Promise.all([...taking, third].map(now))).toEqual(['waits', 'waits', 'waits']);
  await spool.append(batch());
  expect((await Promise.all(taking.map(now))).map(seqs)).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(await now(third)).toBe('waits');
  await spool.append(batch());
  await spool.append(batch());
  void spool.append(batch());
  expect(seqs(await now(third))).toEqual([1, 2, 3, 4]);
});

test('a block is of one day, and within its limits, but has at least one record', async () => {
  const clock = new FakeClock('2026-11-21T23:59:59Z');
  const { spool } = make({ clock });
  const reader = spool.reader('lane');
  await spool.append(batch(3));
  await spool.append(batch(3));
  await clock.advance(1_000);
  await spool.append(batch(3));
  await spool.append(batch(50));
  await spool.append(batch(1));
  spool.end();
  const taken: [string, number[]][] = [];
  for (;;) {
    const records = await reader.take({ ...LIMITS, max_rows: 10 }, never);
    if (records.length === 0) break;
    taken.push([records[0]!.day, records.map(({ seq }) => seq)]);
  }
  expect(taken).toEqual([
    ['2026-11-21', [1, 2]],
    ['2026-11-22', [3]],
    ['2026-11-22', [4]],
    ['2026-11-22', [5]],
  ]);
});

test('at the end readers take what is left and then nothing; a late one goes on until the spool is closed', async () => {
  const { spool } = make();
  const [reader, late] = [spool.reader('lane'), spool.reader('dead-letters', { until: 'lanes' })];
  await spool.append(batch());
  const taking = reader.take(LIMITS, never);
  expect(await now(taking)).toBe('waits');
  spool.end();
  expect(seqs(await now(taking))).toEqual([1]);
  expect(seqs(await now(reader.take(LIMITS, never)))).toEqual([]);
  expect(seqs(await now(late.take(LIMITS, never)))).toEqual([1]);
  const last = late.take(LIMITS, never);
  expect(await now(last)).toBe('waits');
  await spool.append(batch(), { reserved: true });
  expect(seqs(await now(last))).toEqual([2]);
  const over = late.take(LIMITS, never);
  await spool.close();
  expect(seqs(await now(over))).toEqual([]);
});

test('a take that is aborted gives what is there, or nothing, and leaves no timer behind', async () => {
  const { spool, clock } = make();
  const reader = spool.reader('lane');
  const abort = new AbortController();
  const waiting = reader.take(LIMITS, abort.signal);
  await settled();
  abort.abort();
  expect(await now(waiting)).toEqual([]);
  const second = new AbortController();
  await spool.append(batch());
  const lingering = reader.take(LIMITS, second.signal);
  expect(await now(lingering)).toBe('waits');
  second.abort();
  expect(seqs(await now(lingering))).toEqual([1]);
  expect(clock.sleeping).toBe(0);
});

test('a reader that comes late begins with what is still held, and is woken by what follows', async () => {
  const { spool } = make();
  const first = spool.reader('a');
  for (let n = 0; n < 3; n++) await spool.append(batch(4));
  await first.take({ ...LIMITS, linger_ms: 0 }, never);
  first.advance(1);
  const second = spool.reader('b');
  const some = { ...LIMITS, linger_ms: 0 };
  expect(seqs(await now(second.take(some, never)))).toEqual([2, 3]);
  const next = second.take(some, never);
  expect(await now(next)).toBe('waits');
  await spool.append(batch());
  expect(seqs(await now(next))).toEqual([4]);
});

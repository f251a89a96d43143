import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { Slots } from '../../src/spool/slots.ts';
import { diskFs, type SpoolFs } from '../../src/spool/files.ts';
import { HastyClock } from '../support/fake-clock.ts';
import { OracleFs, seeded, type Fault, type Operation } from '../support/oracle-fs.ts';
import { smallDisk } from '../support/small-disk.ts';
import { batchOf } from './disk-world.ts';
import { Ends, turns } from './ends.ts';
import { open, segmentsOf, type Opened } from './scenes.ts';

const GIB = 1 << 30;

/** The disk, or a skipped test; in CI there has to be one. */
async function diskFor({ skip }: TestContext): Promise<string> {
  const disk = await smallDisk(16);
  if (typeof disk === 'string') return disk;
  if (process.env['CI'] === 'true') throw new Error(disk.reason);
  return skip(disk.reason);
}

/** A file system that does not say how much it has left: so the spool finds out by writing. */
const silent: SpoolFs = { ...diskFs, free: async () => Number.POSITIVE_INFINITY };

const many = (count: number, size = 300_000): number[] => Array.from({ length: count }, () => size);

test.for([
  ['that says what it has left', diskFs],
  ['that does not', silent],
] as const)(
  'a full disk %s lets sources wait until lanes have made room, and nothing is lost',
  async ([, fs], context) => {
    const directory = await diskFor(context);
    const { spool, said } = await open(directory, { fs, clock: new HastyClock(), sync: 'group', max_bytes: GIB });
    const { slots } = await Slots.open(fs, join(directory, 'cursor.lane'), 4096);
    const ends = new Ends(spool);
    ends.append(...many(100));
    await ends.standstill();
    expect(ends.acknowledged.length).toBeGreaterThan(40);
    expect(ends.acknowledged.length).toBeLessThan(55);
    expect([spool.usage().full, ends.refused]).toEqual([true, []]);
    // The lane goes on, and so does its cursor.
    await ends.take();
    await slots.write({ settled: ends.arrived.length }, true);
    const before = segmentsOf(directory);
    await ends.drained();
    expect(segmentsOf(directory)).not.toContain(before[0]);
    const warnings = said.filter(([severity]) => severity === 'warning').map(([, text]) => text);
    expect(warnings[0]).toMatch(/spool: full, .*: sources wait, nothing is lost/);
    expect(said.filter(([severity]) => severity === 'error')).toEqual([]);
    await slots.close();
    await ends.close();
  },
);

test('what a lane appends goes in while sources wait on a full disk', async (context) => {
  const directory = await diskFor(context);
  const { spool } = await open(directory, { clock: new HastyClock(), sync: 'group', max_bytes: GIB });
  const ends = new Ends(spool);
  ends.append(...many(100));
  await ends.standstill();
  const waited = ends.acknowledged.length;
  for (let n = 0; n < 10; n++) await spool.append(batchOf('letters', n, 60_000, false), { reserved: true });
  expect(ends.acknowledged).toHaveLength(waited);
  await ends.close();
});

test.for([
  ['that says what it has left', diskFs],
  ['that does not', silent],
] as const)(
  'when something else has filled a disk %s, sources go on as soon as that is gone',
  async ([, fs], context) => {
    const directory = await diskFor(context);
    const { spool } = await open(directory, { fs, clock: new HastyClock(), sync: 'group', max_bytes: GIB });
    const ends = new Ends(spool);
    ends.append(...many(3));
    await Promise.all(ends.appending);
    const foreign = join(directory, 'foreign');
    const left = (await diskFs.free(directory)) - 100_000;
    writeFileSync(foreign, Buffer.alloc(left, 1));
    ends.append(...many(10), 1, 1, 1);
    await ends.standstill();
    expect([ends.acknowledged.length, spool.usage().full]).toEqual([3, true]);
    rmSync(foreign);
    await ends.drained();
    expect(spool.usage().full).toBe(false);
    await ends.close();
  },
);

test('a spool opens on a disk that is full, and takes up work when there is room', async (context) => {
  const directory = await diskFor(context);
  const foreign = join(directory, 'foreign');
  const first = await open(directory, { clock: new HastyClock(), max_bytes: GIB });
  const ends = new Ends(first.spool);
  ends.append(...many(3));
  await Promise.all(ends.appending);
  await ends.close();
  writeFileSync(foreign, Buffer.alloc(await diskFs.free(directory), 1));
  const second = await open(directory, { clock: new HastyClock(), max_bytes: GIB });
  const again = new Ends(second.spool);
  again.sizes.push(...many(3));
  again.append(1);
  await again.take();
  await again.standstill();
  expect([again.arrived, again.acknowledged]).toEqual([[0, 1, 2], []]);
  rmSync(foreign);
  await Promise.all(again.appending);
  expect(again.acknowledged).toEqual([3]);
  await again.close();
});

/** A spool on a disk that fails as it is told to. */
async function failing(
  plan: (operation: Operation, path: string) => Fault,
  fs = new OracleFs(21),
): Promise<Omit<Opened, 'clock'> & { ends: Ends; fs: OracleFs; clock: HastyClock; failures: Error[] }> {
  const failures: Error[] = [];
  const clock = new HastyClock();
  const failed = (error: Error): void => void failures.push(error);
  const opened = await open('/spool', { fs, clock, sync: 'group', max_bytes: GIB, failed });
  fs.plan = plan;
  return { ...opened, clock, fs, ends: new Ends(opened.spool), failures };
}

test('writes that are cut short, again and again, leave no trace', async () => {
  const random = seeded(22);
  const { ends, said } = await failing((operation) =>
    operation === 'write' && random() < 0.6 ? { short: Math.floor(random() * 200_000) + 1 } : undefined,
  );
  ends.append(...many(20), ...many(200, 2), 1_200_000);
  await ends.drained();
  expect(said).toEqual([]);
  await ends.close();
});

test('a disk that is full now and then, in the middle of any write, loses nothing and keeps nothing twice', async () => {
  const random = seeded(23);
  let faults = 300;
  const { ends, fs } = await failing((operation) =>
    operation === 'write' && random() < 0.6 && faults-- > 0 ? 'ENOSPC' : undefined,
  );
  for (let round = 0; round < 40; round++) {
    ends.append(...many(5, [1, 2, 60_000, 300_000][round % 4]));
    // There is room for a part of it, then for nothing, then for all.
    fs.capacity = fs.used + Math.floor(random() * 2_000_000);
    await turns(20);
    fs.capacity = Number.POSITIVE_INFINITY;
  }
  await ends.drained();
  expect(faults).toBeLessThan(280);
  const { last } = ends.spool;
  fs.plan = () => undefined;
  await ends.close();
  const again = await open('/spool', { fs: fs.crash('power cut'), clock: new HastyClock() });
  expect(again.spool.last).toBe(last);
});

test('segments that nobody needs make room, when something else fills a disk that was large', async () => {
  const { ends, fs, spool } = await failing(() => undefined);
  ends.append(...many(20));
  await ends.drained();
  expect([spool.segments.length, fs.used > 6_000_000]).toEqual([1, true]);
  fs.capacity = fs.used + 500_000;
  ends.append(...many(10));
  await ends.drained();
  await ends.close();
});

test('a sync that fails once is not tried again: the group goes into another file, once', async () => {
  let syncs = 0;
  const { ends, said, fs, failures } = await failing((operation) =>
    operation === 'datasync' && (syncs += 1) === 2 ? 'EIO' : undefined,
  );
  ends.append(1);
  await Promise.all(ends.appending);
  ends.append(...many(10, 2));
  await ends.drained();
  expect(said).toEqual([['error', 'spool: writing to /spool failed (EIO); going on in another segment']]);
  expect((await fs.list('/spool')).filter((name) => name.endsWith('.seg'))).toHaveLength(2);
  expect(failures).toEqual([]);
  for (const how of ['kill', 'power cut'] as const) {
    const { spool } = await open('/spool', { fs: fs.crash(how), clock: new HastyClock() });
    const after = new Ends(spool);
    after.sizes.push(1, ...many(10, 2));
    while (after.arrived.length < 11) await after.take();
    expect([spool.last, spool.positions.get('a')]).toEqual([11, { at: 10 }]);
  }
});

test('a sync that fails five times in a row ends the spool, and it says so; what it had acknowledged is there', async () => {
  let broken = false;
  const { ends, said, fs, failures, spool } = await failing((operation) =>
    broken && operation === 'datasync' ? 'EIO' : undefined,
  );
  ends.append(...many(5, 2));
  await Promise.all(ends.appending);
  broken = true;
  ends.append(...many(5, 2));
  await Promise.all(ends.appending);
  expect(ends.acknowledged).toEqual([0, 1, 2, 3, 4]);
  expect(ends.refused).toHaveLength(5);
  expect(failures.map(({ message }) => message)).toEqual([expect.stringContaining('/spool cannot be written')]);
  expect(said.filter(([severity]) => severity === 'error')).toHaveLength(5);
  await expect(spool.append(batchOf('a', 5, 1))).rejects.toBe(failures[0]);
  await expect(spool.append(batchOf('a', 5, 1), { reserved: true })).rejects.toBe(failures[0]);
  // It is read all the same.
  await ends.take();
  expect(ends.arrived).toEqual([0, 1, 2, 3, 4]);
  await ends.close();
  const again = await open('/spool', { fs: fs.crash('power cut'), clock: new HastyClock() });
  expect(Number(again.spool.positions.get('a')?.['at'])).toBeGreaterThanOrEqual(4);
  expect(again.spool.last).toBe(Number(again.spool.positions.get('a')?.['at']) + 1);
});

test('four failures in a row are got over', async () => {
  let left = 4;
  const { ends, clock } = await failing((operation) => (operation === 'write' && left-- > 0 ? 'EIO' : undefined));
  ends.append(1);
  await ends.drained();
  expect(clock.slept.filter((ms) => ms >= 400)).toEqual([400, 800, 1_600, 3_200]);
});

test('a segment that cannot be removed now is removed later', async () => {
  let stuck = true;
  const fs = new OracleFs(24);
  fs.capacity = 16 << 20;
  const plan = (operation: Operation, path: string): Fault =>
    stuck && operation === 'unlink' && path.endsWith('.seg') ? 'EIO' : undefined;
  const { ends, said } = await failing(plan, fs);
  const segments = async (): Promise<number> =>
    (await fs.list('/spool')).filter((name) => name.endsWith('.seg')).length;
  ends.append(...many(40));
  await ends.drained();
  expect(await segments()).toBeGreaterThan(4);
  expect(said[0]).toEqual(['error', expect.stringContaining('cannot be removed (EIO)')]);
  stuck = false;
  ends.append(1);
  await ends.drained();
  await turns(20);
  expect([await segments(), ends.spool.segments.length]).toEqual([2, 2]);
});

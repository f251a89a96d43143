import { expect, test } from 'vitest';
import { Slots } from '../../src/spool/slots.ts';
import { OracleFs, seeded } from '../support/oracle-fs.ts';

const PATH = '/spool/cursor.lane';
const SIZE = 1024;

/** A state of its own size. */
const state = (n: number): object => ({ n, text: 'x'.repeat((n * 37) % 700) });

async function written(count: number): Promise<OracleFs> {
  const fs = new OracleFs(1);
  const { slots } = await Slots.open(fs, PATH, SIZE);
  for (let n = 1; n <= count; n++) await slots.write(state(n), true);
  await slots.close();
  return fs;
}

async function found(bytes: Buffer): Promise<{ state: unknown; damaged: boolean }> {
  const { slots, ...rest } = await Slots.open(new OracleFs(1, new Map([[PATH, bytes]])), PATH, SIZE);
  await slots.close();
  return rest;
}

test('a state that was never written is none, and the newest one is found', async () => {
  expect(await found(Buffer.alloc(0))).toEqual({ state: undefined, damaged: false });
  for (const count of [0, 1, 2, 3, 8]) {
    const bytes = (await written(count)).bytes(PATH);
    expect(await found(bytes)).toEqual({ state: count === 0 ? undefined : state(count), damaged: false });
    expect(bytes).toHaveLength(2 * SIZE);
  }
});

test('a write that is cut off anywhere leaves the state before it', async () => {
  for (const count of [1, 2, 5]) {
    const before = (await written(count)).bytes(PATH);
    const after = (await written(count + 1)).bytes(PATH);
    const at = ((count + 1) % 2) * SIZE;
    const last = after.findLastIndex((byte, n) => byte !== before[n]);
    for (let length = 0; length <= SIZE; length++) {
      const torn = Buffer.concat([
        before.subarray(0, at),
        after.subarray(at, at + length),
        before.subarray(at + length),
      ]);
      const whole = at + length > last;
      expect([length, await found(torn)]).toEqual([
        length,
        { state: state(whole ? count + 1 : count), damaged: false },
      ]);
    }
  }
});

test('a write of which single sectors arrived leaves the state before it, or is whole', async () => {
  const random = seeded(31);
  for (let turn = 0; turn < 300; turn++) {
    const count = 1 + (turn % 7);
    const before = (await written(count)).bytes(PATH);
    const after = (await written(count + 1)).bytes(PATH);
    const torn = Buffer.from(before);
    for (let at = 0; at < torn.length; at += 512) if (random() < 0.5) after.copy(torn, at, at, at + 512);
    const whole = torn.equals(after);
    const now = (await found(torn)).state;
    expect([state(count), state(count + 1)]).toContainEqual(now);
    expect(whole ? now : state(count + 1)).toEqual(state(count + 1));
  }
});

test('a file that is damaged all over says so, and can be written again', async () => {
  const fs = await written(3);
  const bytes = fs.bytes(PATH);
  bytes[30]! ^= 1;
  bytes[SIZE + 30]! ^= 1;
  const again = new OracleFs(1, new Map([[PATH, bytes]]));
  const { slots, ...rest } = await Slots.open(again, PATH, SIZE);
  expect(rest).toEqual({ state: undefined, damaged: true });
  await slots.write(state(9), true);
  expect((await found(again.bytes(PATH))).state).toEqual(state(9));
});

test('a full disk keeps no state from being written once its file is there', async () => {
  const fs = await written(2);
  fs.capacity = fs.used;
  const { slots } = await Slots.open(fs, PATH, SIZE);
  for (let n = 3; n < 10; n++) await slots.write(state(n), true);
  expect((await found(fs.bytes(PATH))).state).toEqual(state(9));
});

test('a state that finds no room at all is refused, and is written when there is', async () => {
  const fs = new OracleFs(1);
  fs.capacity = 100;
  const { slots } = await Slots.open(fs, PATH, SIZE);
  await expect(slots.write(state(1), true)).rejects.toMatchObject({ code: 'ENOSPC' });
  fs.capacity = Number.POSITIVE_INFINITY;
  await slots.write(state(2), true);
  expect((await found(fs.bytes(PATH))).state).toEqual(state(2));
});

test('a state that is too large for its slot is refused, and the one before it stays', async () => {
  const fs = await written(2);
  const { slots } = await Slots.open(fs, PATH, SIZE);
  await expect(slots.write({ text: 'x'.repeat(SIZE) }, true)).rejects.toThrow(RangeError);
  expect((await found(fs.bytes(PATH))).state).toEqual(state(2));
});

test('after a write or a sync that failed, the state before it is found, and the next write counts', async () => {
  for (const operation of ['write', 'datasync']) {
    for (const how of ['kill', 'power cut'] as const) {
      const fs = await written(2);
      const { slots } = await Slots.open(fs, PATH, SIZE);
      fs.plan = (each) => (each === operation ? 'EIO' : undefined);
      await expect(slots.write(state(3), true)).rejects.toMatchObject({ code: 'EIO' });
      fs.plan = () => undefined;
      await slots.write(state(4), true);
      const { state: now } = await Slots.open(fs.crash(how), PATH, SIZE);
      expect(now).toEqual(state(4));
    }
  }
});

test('a state of two files grows past any size, and one that does not fit on the disk leaves the one before it', async () => {
  const paths = ['/spool/prometheus.0', '/spool/prometheus.1'] as const;
  const fs = new OracleFs(1);
  const { slots } = await Slots.open(fs, paths, 0);
  const large = (n: number): object => ({ n, text: 'y'.repeat(n * 10_000) });
  for (let n = 1; n <= 20; n++) await slots.write(large(n), true);
  expect((await Slots.open(fs, paths, 0)).state).toEqual(large(20));
  fs.capacity = fs.used;
  await expect(slots.write(large(40), true)).rejects.toMatchObject({ code: 'ENOSPC' });
  expect((await Slots.open(fs, paths, 0)).state).toEqual(large(20));
  await slots.write(large(3), true);
  expect((await Slots.open(fs.crash('power cut'), paths, 0)).state).toEqual(large(3));
});

test('a state that is found after a kill is not lost in a power cut, though it had never been synced', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const fs = new OracleFs(seed);
    const { slots } = await Slots.open(fs, PATH, SIZE);
    await slots.write(state(1), true);
    await slots.write(state(2), false);
    const killed = fs.crash('kill');
    expect((await Slots.open(killed, PATH, SIZE)).state).toEqual(state(2));
    expect((await Slots.open(killed.crash('power cut'), PATH, SIZE)).state).toEqual(state(2));
  }
});

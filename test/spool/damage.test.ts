import {
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Batch } from '../../src/batch.ts';
import { openCursor, SLOT_BYTES, type LaneCursor } from '../../src/delivery/cursor.ts';
import { diskFs } from '../../src/spool/files.ts';
import { HEADER_BYTES, MAGIC } from '../../src/spool/format.ts';
import { add, between, markOf, NOTHING } from '../../src/spool/mark.ts';
import { encodePayload } from '../../src/spool/payload.ts';
import { encodeRecord } from '../../src/spool/segment.ts';
import { seeded } from '../support/oracle-fs.ts';
import { rowsOf, stepRow } from '../support/rows.ts';
import { batchOf } from './disk-world.ts';
import { HastyClock } from '../support/fake-clock.ts';
import { drain, hooked, leave, open, read, restorer, scratch, segmentsOf, through, type Known } from './scenes.ts';

/** Three segments of a mebibyte: small records among large ones. */
const BATCHES = Array.from({ length: 180 }, (_, n) => batchOf('a', n, [0, 1, 2, 500, 30_000, 80_000][n % 6]!));
const SMALL = Array.from({ length: 6 }, (_, n) => batchOf('a', n, [2, 1, 40, 1, 0, 1][n]!));

/** Overwrites bytes of a file in place. */
function patch(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

function flip(path: string, bit: number): void {
  const at = bit >> 3;
  const byte = readFileSync(path)[at]!;
  patch(path, at, Uint8Array.of(byte ^ (1 << (bit & 7))));
}

/** What is found is what was committed, in order, less some; nothing is missing but what `may` be. */
function compare(
  known: readonly Known[],
  found: Awaited<ReturnType<typeof read>>,
  may: (record: Known) => boolean,
): number {
  const got = new Set(found.all);
  const missing = known.filter(({ all }) => !got.has(all));
  expect(found.all).toEqual(known.filter(({ all }) => got.has(all)).map(({ all }) => all));
  expect(missing.filter((record) => !may(record))).toEqual([]);
  return missing.length;
}

test(
  'cut off anywhere in its last three records, a segment gives exactly those that are whole',
  { timeout: 120_000 },
  async () => {
    const { directory, known } = await leave(SMALL, 'killed');
    const [path] = segmentsOf(directory) as [string];
    const restore = restorer(directory);
    const size = statSync(path).size;
    expect(known.at(-1)!.end).toBe(size);
    for (let length = known[3]!.at; length <= size; length++) {
      truncateSync(path, length);
      const found = await read(directory);
      const whole = known.filter(({ end }) => end <= length);
      expect([length, found.all, found.positions]).toEqual([
        length,
        whole.map(({ all }) => all),
        { a: whole.at(-1)!.position },
      ]);
      restore();
    }
  },
);

test.each(['closed', 'killed'] as const)(
  'of a spool that was %s, a flipped bit costs at most the record it is in, counted to the row',
  { timeout: 240_000 },
  async (how) => {
    const { directory, known, mark } = await leave(BATCHES, how);
    const restore = restorer(directory);
    const segments = segmentsOf(directory);
    expect(segments.length).toBeGreaterThan(2);
    const random = seeded(how === 'closed' ? 11 : 12);
    const pick = (most: number): number => Math.floor(random() * most);
    let lost = 0;
    for (let turn = 0; turn < 600; turn++) {
      let path = segments[pick(segments.length)]!;
      let at = pick(statSync(path).size);
      // Most bytes are payload: every other flip is in a header, or in what is no batch.
      if (turn % 2 === 0) {
        const record = known[pick(known.length)]!;
        path = record.path;
        at = turn % 4 === 0 ? record.at + pick(HEADER_BYTES) : pick(known.find((each) => each.path === path)!.at);
        if (turn % 8 === 2 && how === 'closed') at = known.findLast((each) => each.path === path)!.end;
        if (turn % 8 === 2 && how === 'closed') at += pick(statSync(path).size - at);
      }
      flip(path, at * 8 + pick(8));
      const found = await read(directory);
      lost += compare(known, found, (record) => record.path === path && record.at <= at && at < record.end);
      // What is missing is what `before` of the next one says; behind the last one, what the seal says.
      let told = NOTHING;
      let end = NOTHING;
      for (const [n, before] of found.befores.entries()) {
        told = add(told, between(end, before));
        const record = known.find(({ seq }) => seq === found.seqs[n])!;
        end = add(before, markOf(BATCHES[record.seq - 1]!, record.end - record.at));
      }
      told = add(told, between(end, found.passed));
      const missing = known.find(({ seq }) => !found.seqs.includes(seq));
      const rows = missing === undefined ? NOTHING : markOf(BATCHES[missing.seq - 1]!, missing.end - missing.at);
      // What was cut off at the end of a segment without a seal was not committed, as far as anybody knows.
      const torn = how === 'killed' && missing !== undefined && missing === known.at(-1);
      expect([found.passed, told]).toEqual(torn ? [missing.before, NOTHING] : [mark, rows]);
      restore();
    }
    expect(lost).toBeGreaterThan(300);
  },
);

test('a page of zeros costs the records that it lies in, and no other', { timeout: 120_000 }, async () => {
  const { directory, known } = await leave(BATCHES, 'closed');
  const restore = restorer(directory);
  const segments = segmentsOf(directory);
  const random = seeded(13);
  let lost = 0;
  for (let turn = 0; turn < 300; turn++) {
    const path = segments[turn % segments.length]!;
    const size = statSync(path).size;
    const at = Math.floor((random() * size) / 4096) * 4096;
    patch(path, at, Buffer.alloc(Math.min(4096, size - at)));
    const found = await read(directory);
    lost += compare(known, found, (record) => record.path === path && record.at < at + 4096 && at < record.end);
    restore();
  }
  expect(lost).toBeGreaterThan(240);
});

test(
  'however a spool is mutilated, it opens, gives no wrong byte, and takes new records',
  { timeout: 120_000 },
  async () => {
    const { directory, known } = await leave([...SMALL, ...BATCHES.slice(6)], 'killed');
    const restore = restorer(directory);
    const random = seeded(14);
    const pick = (most: number): number => Math.floor(random() * most);
    for (let turn = 0; turn < 120; turn++) {
      for (let damage = pick(6); damage >= 0; damage--) {
        const segments = segmentsOf(directory);
        const path = segments[pick(segments.length)];
        if (path === undefined) continue;
        const { size } = statSync(path);
        const kind = pick(6);
        if (kind === 0) truncateSync(path, pick(size));
        else if (kind === 1) rmSync(path);
        else if (kind === 2) copyFileSync(path, join(directory, `${String(pick(90) + 10).padStart(12, '0')}.seg`));
        else if (kind === 3) patch(path, pick(size), Buffer.alloc(pick(50_000)));
        else if (kind === 4)
          patch(path, pick(size), readFileSync(segments[pick(segments.length)]!).subarray(pick(9_000), 40_000));
        else flip(path, pick(size * 8));
      }
      const found = await read(directory);
      compare(known, found, () => true);
      expect(new Set(found.seqs).size).toBe(found.seqs.length);
      const { spool } = await open(directory);
      const { seq } = await spool.append(batchOf('b', turn, 1));
      expect(seq).toBeGreaterThan(Math.max(0, ...found.seqs));
      const again = await drain(spool);
      expect(again.at(-1)!.seq).toBe(seq);
      await spool.close();
      await spool.dispose();
      restore();
    }
  },
);

test('an empty segment, and one of zeros, are nothing; one of garbage is set aside as it is', async () => {
  const { directory, known } = await leave(SMALL, 'closed');
  const garbage = Buffer.from(Array.from({ length: 50_000 }, seeded(15)).map((each) => each * 256));
  writeFileSync(join(directory, '000000000007.seg'), '');
  writeFileSync(join(directory, '000000000008.seg'), Buffer.alloc(100_000));
  writeFileSync(join(directory, '000000000009.seg'), garbage);
  const found = await read(directory);
  expect(compare(known, found, () => false)).toBe(0);
  expect(existsSync(join(directory, '000000000007.seg'))).toBe(false);
  expect(existsSync(join(directory, '000000000008.seg'))).toBe(false);
  expect(readFileSync(join(directory, '000000000009.seg.bad')).equals(garbage)).toBe(true);
  expect(found.said.filter(([severity]) => severity === 'error')).toHaveLength(1);
  // The next segment is behind all of them.
  expect(existsSync(join(directory, '000000000010.seg'))).toBe(true);
});

test('a segment that is missing in the middle is a gap that is told to the row', async () => {
  const { directory, known } = await leave(BATCHES, 'closed');
  const [, middle] = segmentsOf(directory) as [string, string];
  rmSync(middle);
  const found = await read(directory);
  const lost = known.filter(({ path }) => path === middle);
  expect(compare(known, found, ({ path }) => path === middle)).toBe(lost.length);
  const rows = lost.map(({ seq, at, end }) => markOf(BATCHES[seq - 1]!, end - at)).reduce(add);
  const next = found.seqs.indexOf(lost.at(-1)!.seq + 1);
  expect(found.befores[next]).toEqual(add(lost[0]!.before, rows));
});

test("segments that have each other's names, and copies of segments, are read in the order of their records, and once", async () => {
  const { directory, known } = await leave(BATCHES, 'closed');
  const [first, second, third] = segmentsOf(directory) as [string, string, string];
  renameSync(first, `${first}.tmp`);
  renameSync(third, first);
  renameSync(`${first}.tmp`, third);
  copyFileSync(second, join(directory, '000000000077.seg'));
  const found = await read(directory);
  expect(compare(known, found, () => false)).toBe(0);
  expect(found.positions).toEqual({ a: known.at(-1)!.position });
  expect(found.last).toBe(known.at(-1)!.seq);
});

test('a batch behind a gap of its own group is not believed: its group was never committed', async () => {
  const { directory, known } = await leave(SMALL, 'killed', { at_once: 6 });
  patch(known[1]!.path, known[1]!.at, Buffer.alloc(HEADER_BYTES));
  const found = await read(directory);
  expect([found.seqs, found.positions]).toEqual([[1], { a: { at: 0 } }]);
});

test('a batch behind a gap of its own group is believed when a lane has seen it, or something later was committed', async () => {
  const { directory, known, mark } = await leave(SMALL, 'killed', { at_once: 6 });
  patch(known[1]!.path, known[1]!.at, Buffer.alloc(HEADER_BYTES));
  const seen = await read(directory, { least: { seq: 6, mark } });
  expect([seen.seqs, seen.positions]).toEqual([[1, 3, 4, 5, 6], { a: { at: 5 } }]);
  const later = await leave(SMALL, 'killed', { at_once: 3 });
  patch(later.known[1]!.path, later.known[1]!.at, Buffer.alloc(HEADER_BYTES));
  const found = await read(later.directory);
  expect([found.seqs, found.positions]).toEqual([[1, 3, 4, 5, 6], { a: { at: 5 } }]);
});

const CURSOR: LaneCursor = {
  settled: 4,
  at: NOTHING,
  base: NOTHING,
  since: 1,
  totals: { accepted: 0, stored: 0, dead_lettered: 0, dropped: 0, lost: 0 },
};

test('of a damaged cursor the state before it is used, and of one that is damaged twice nothing', async () => {
  const directory = scratch();
  const said: string[] = [];
  const say = (_: unknown, message: string): void => void said.push(message);
  const path = join(directory, 'cursor.clickhouse');
  const reopen = async (): Promise<number | undefined> => {
    const store = await openCursor(diskFs, directory, 'clickhouse', say);
    await store.close();
    return store.found?.settled;
  };
  const store = await openCursor(diskFs, directory, 'clickhouse', say);
  for (const settled of [4, 5]) await store.save({ ...CURSOR, settled }, true, () => {});
  await store.close();
  const written = readFileSync(path);
  expect(await reopen()).toBe(5);
  writeFileSync(path, written);
  // The second state is in the first slot.
  flip(path, 8 * 30);
  expect([await reopen(), said]).toEqual([4, []]);
  writeFileSync(path, written);
  flip(path, 8 * 30);
  flip(path, 8 * (SLOT_BYTES + 30));
  expect(await reopen()).toBe(undefined);
  expect(said).toHaveLength(1);
});

test('a lane whose cursor is from long ago begins at the oldest record, and one that saw what is lost goes on behind it', async () => {
  const { directory, known, mark } = await leave(BATCHES, 'closed');
  const first = segmentsOf(directory)[0]!;
  const last = segmentsOf(directory).at(-1)!;
  rmSync(first);
  rmSync(last);
  const left = known.filter(({ path }) => path !== first && path !== last);
  const { spool } = await open(directory);
  const old = spool.reader('old', { settled: { seq: 2, mark: known[2]!.before } });
  const ahead = spool.reader('ahead', { settled: { seq: BATCHES.length, mark } });
  expect(old.settled).toEqual({ seq: left[0]!.seq - 1, mark: left[0]!.before });
  // No number that the lane has seen is used again, in whatever epoch.
  expect(await spool.append(batchOf('b', 0, 1))).toEqual({ seq: BATCHES.length + 1 });
  const [seen, all] = [await drain(spool, ahead), await drain(spool, old)];
  expect(seen.map(({ seq }) => seq)).toEqual([BATCHES.length + 1]);
  expect(seen[0]!.before).toEqual(mark);
  expect(all.map(({ seq }) => seq)).toEqual([...left.map(({ seq }) => seq), BATCHES.length + 1]);
  await spool.close();
  await spool.dispose();
});

test('a segment of another spool is set aside, whatever it is called', async () => {
  const { directory, known } = await leave(BATCHES, 'closed');
  const other = await leave(SMALL, 'closed');
  const [foreign] = segmentsOf(other.directory) as [string];
  for (const name of ['000000000000.seg', '000000000050.seg']) copyFileSync(foreign, join(directory, name));
  const found = await read(directory);
  expect(compare(known, found, () => false)).toBe(0);
  expect(existsSync(join(directory, '000000000000.seg.bad'))).toBe(true);
  expect(existsSync(join(directory, '000000000050.seg.bad'))).toBe(true);
});

test('a record of another spool that lies in a segment is never believed, in place of one or between them', async () => {
  const { directory, known } = await leave(SMALL, 'killed');
  const other = await leave(SMALL, 'killed');
  const [third] = [other.known[2]!];
  const record = readFileSync(third.path).subarray(third.at, third.end);
  // Exactly in the place of ours, which has the same length.
  expect(known[2]!.end - known[2]!.at).toBe(record.length);
  patch(known[2]!.path, known[2]!.at, record);
  patch(known.at(-1)!.path, known.at(-1)!.end, record);
  const found = await read(directory);
  expect(compare(known, found, ({ seq }) => seq === 3)).toBe(1);
});

test('a log line that spells a record is not one, even where the record around it is damaged', async () => {
  const directory = scratch();
  const { spool } = await open(directory);
  // Whoever knows its `_src` from a store can write the best of records.
  const evil = batchOf('evil', 0, 1);
  const { pieces } = encodeRecord('batch', 3, NOTHING, markOf(evil, 0), encodePayload(evil), {
    src: spool.src,
    now: () => 0,
  });
  const forged = Buffer.concat(pieces);
  const durations = new Float64Array(new Uint8Array(forged.subarray(0, forged.length & ~7)).buffer);
  const rows = rowsOf('steps', [
    stepRow({ message: forged.toString('latin1') }),
    ...Array.from(durations, () => stepRow()),
  ]);
  const tuple = new Uint16Array(durations.buffer);
  const batch: Batch = {
    source: 'a',
    position: { at: forged.toString('latin1') },
    lines: 1,
    rows: [{ ...rows, durations, tuple }],
  };
  await spool.append(batchOf('a', 0, 1));
  await spool.append(batch);
  await spool.append(batchOf('a', 2, 1));
  await spool.close();
  await spool.dispose();
  const [path] = segmentsOf(directory) as [string];
  const file = readFileSync(path);
  const magic = Buffer.from(MAGIC);
  const starts = [];
  for (let at = file.indexOf(magic); at !== -1; at = file.indexOf(magic, at + 1)) starts.push(at);
  // Snapshot, three records, seal.
  expect(starts).toHaveLength(5);
  flip(path, 8 * (starts[2]! + 20));
  expect((await read(directory)).seqs).toEqual([1, 3]);
});

test('what a lane needs that has not joined yet is not removed, nor when no lane joins at all', async () => {
  const { directory, known, mark } = await leave(BATCHES, 'closed');
  const { spool } = await open(directory);
  const far = { seq: known.at(-1)!.seq, mark };
  spool.reader('store', { settled: far }).keep(far.seq);
  const late = spool.reader('dead store');
  expect(await drain(spool, late)).toHaveLength(known.length);
  await spool.close();
  await spool.dispose();
  const unused = await open(directory);
  await unused.spool.close();
  await unused.spool.dispose();
  const found = await read(directory);
  expect(found.all).toEqual(known.map(({ all }) => all));
});

test('pages that the disk refuses to read cost the records in them, and keep nothing from opening', async () => {
  const { directory, known } = await leave(BATCHES, 'killed');
  const restore = restorer(directory);
  const random = seeded(16);
  for (let turn = 0; turn < 30; turn++) {
    const { path, end } = known[Math.floor(random() * known.length)]!;
    const bad = Math.floor((random() * end) / 4096) * 4096;
    const fs = through((name, file) =>
      hooked(file, {
        read: async (into, offset, length, position) => {
          if (name === path && position < bad + 4096 && bad < position + length) {
            throw Object.assign(new Error('EIO'), { code: 'EIO' });
          }
          return file.read(into, offset, length, position);
        },
      }),
    );
    // It is tried again before it is given up.
    const found = await open(directory, { fs, sync: 'never', clock: new HastyClock() });
    const seqs = new Set((await drain(found.spool)).map(({ seq }) => seq));
    const hit = (record: Known): boolean => record.path === path && record.at < bad + 4096 && bad < record.end;
    expect(known.filter((record) => !hit(record) && !seqs.has(record.seq))).toEqual([]);
    await found.spool.close();
    await found.spool.dispose();
    restore();
  }
});

test('a start reads the last segment, and of those that were closed only what they say of themselves', async () => {
  const many = Array.from({ length: 12_000 }, (_, n) => batchOf('a', n, n % 2));
  const { directory, known } = await leave(many, 'killed', { at_once: 1_000 });
  const bytes = new Map<string, number>();
  const fs = through((path, file) =>
    hooked(file, {
      read: async (into, offset, length, position) => {
        const read = await file.read(into, offset, length, position);
        bytes.set(path, (bytes.get(path) ?? 0) + read);
        return read;
      },
    }),
  );
  const segments = segmentsOf(directory);
  const sizes = segments.map((path) => statSync(path).size);
  const { spool } = await open(directory, { fs });
  expect(spool.last).toBe(12_000);
  const read = segments.map((path) => bytes.get(path)!);
  expect(segments.length).toBeGreaterThan(3);
  expect(read.at(-1)).toBeGreaterThanOrEqual(sizes.at(-1)!);
  // The first header, and the seal: 32 bytes a record, where a record has about 450 here.
  for (const [n, count] of read.slice(0, -1).entries()) {
    const records = known.filter(({ path }) => path === segments[n]).length;
    expect(count).toBeLessThan(records * 40 + 1_000);
  }
  await spool.close();
  await spool.dispose();
});

import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFilesSink } from '../../src/sinks/files/index.ts';
import { SinkError, STORED, type Part, type Sink } from '../../src/sinks/sink.ts';
import { partOf, stepRow } from '../support/rows.ts';
import { cut, partOfRecords } from './parts.ts';

/** What the next writes and syncs of a file do; then they are as they should be. */
const plan: {
  writes: ('short' | 'ENOSPC' | 'EIO' | 'ok')[];
  syncs: ('EIO' | 'ok')[];
  truncates: ('EIO' | 'ok')[];
  synced: number;
} = {
  writes: [],
  syncs: [],
  truncates: [],
  synced: 0,
};

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const failing = (code: string): Error => Object.assign(new Error(code), { code });
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const file = await real.open(...args);
      const write = file.write.bind(file) as (
        bytes: Buffer,
        from: number,
        length: number,
        at: number,
      ) => Promise<unknown>;
      const datasync = file.datasync.bind(file);
      const truncate = file.truncate.bind(file);
      const faulty = async (bytes: Buffer, from: number, length: number, at: number): Promise<unknown> => {
        const fault = plan.writes.shift() ?? 'ok';
        if (fault === 'ok' || length < 2) return write(bytes, from, length, at);
        const half = await write(bytes, from, length >> 1, at);
        if (fault === 'short') return half;
        throw failing(fault);
      };
      const sync = async (): Promise<void> => {
        if ((plan.syncs.shift() ?? 'ok') !== 'ok') throw failing('EIO');
        plan.synced += 1;
        await datasync();
      };
      const cut = async (size: number): Promise<void> => {
        if ((plan.truncates.shift() ?? 'ok') !== 'ok') throw failing('EIO');
        await truncate(size);
      };
      return Object.assign(file, { write: faulty, datasync: sync, truncate: cut });
    },
  };
});

const never = new AbortController().signal;
const open: Sink[] = [];
let directory: string;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'steptap-files-')), 'rows');
  Object.assign(plan, { writes: [], syncs: [], truncates: [], synced: 0 });
});

afterEach(async () => {
  for (const sink of open.splice(0)) await sink.close();
  await rm(join(directory, '..'), { recursive: true, force: true });
});

async function start(max_file_bytes = 1 << 20, where = directory): Promise<Sink> {
  const sink = createFilesSink({ name: 'files', directory: where, tables: ['steps', 'logs'], max_file_bytes });
  open.push(sink);
  await sink.open(never);
  return sink;
}

const part = (steps: readonly string[], seq: number, table: 'steps' | 'logs' = 'steps'): Part =>
  partOf(
    steps.map((step) => stepRow({ step })),
    { seq, table },
  );

/** The steps in every file, by its name; every line of it is whole. */
async function files(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const name of (await readdir(directory)).sort()) {
    const text = await readFile(join(directory, name), 'utf8');
    expect(text === '' || text.endsWith('\n')).toBe(true);
    const lines = text.split('\n').slice(0, -1);
    found[name] = lines.map((line) => (JSON.parse(line) as { step: string }).step);
  }
  return found;
}

async function failure(promise: Promise<unknown>): Promise<SinkError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SinkError)) throw error;
  return error;
}

test('rows are written as ClickHouse gets them, a file for each table, readable by the owner alone', async () => {
  const sink = await start();
  expect(await sink.send(part(['a', 'b'], 7), never)).toBe(STORED);
  expect(await sink.send(part(['x'], 8, 'logs'), never)).toBe(STORED);
  expect(await files()).toEqual({ 'logs-000001.ndjson': ['x'], 'steps-000001.ndjson': ['a', 'b'] });
  const path = join(directory, 'steps-000001.ndjson');
  const [first] = (await readFile(path, 'utf8')).split('\n');
  expect(first).toMatch(/^\{"_day":"2026-11-21","_src":"spool0-epoch0","_seq":7,"_i":0,"ts":"2026-/);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});

test('a part counts as stored only when it is on the disk', async () => {
  const sink = await start();
  await sink.send(part(['a'], 1), never);
  await sink.send(part(['b'], 2), never);
  expect(plan.synced).toBe(2);
  plan.syncs = ['EIO'];
  expect(await failure(sink.send(part(['c'], 3), never))).toMatchObject({ failure: 'hold', code: 'EIO' });
  expect(await files()).toEqual({ 'steps-000001.ndjson': ['a', 'b'] });
  await sink.send(part(['c'], 3), never);
  expect(await files()).toEqual({ 'steps-000001.ndjson': ['a', 'b', 'c'] });
});

test('past its size a file is closed and the next begun, never in the middle of a part', async () => {
  const one = JSON.stringify(stepRow({ step: 'a' })).length + 80;
  const sink = await start(2 * one);
  for (let seq = 1; seq <= 5; seq++) await sink.send(part([`${seq}`], seq), never);
  await sink.send(part(['6', '7', '8'], 6), never);
  await sink.send(part(['9'], 7), never);
  expect(await files()).toEqual({
    'steps-000001.ndjson': ['1', '2'],
    'steps-000002.ndjson': ['3', '4'],
    'steps-000003.ndjson': ['5'],
    'steps-000004.ndjson': ['6', '7', '8'],
    'steps-000005.ndjson': ['9'],
  });
});

test('a new start takes the next number, and leaves what is there as it is', async () => {
  await (await start()).send(part(['a'], 1), never);
  await writeFile(join(directory, 'steps-000041.ndjson'), '{"step":"old"}\n');
  await writeFile(join(directory, 'steps-99.ndjson'), '');
  await writeFile(join(directory, 'logs-000077.ndjson'), '');
  await (await start()).send(part(['b'], 1), never);
  expect(await files()).toMatchObject({
    'steps-000001.ndjson': ['a'],
    'steps-000041.ndjson': ['old'],
    'steps-000042.ndjson': ['b'],
  });
});

test('whatever a disk does to a write, no half row stays behind, and every row is there once in the end', async () => {
  const fault = fc.constantFrom('short' as const, 'ENOSPC' as const, 'EIO' as const, 'ok' as const);
  const sync = fc.constantFrom('EIO' as const, 'ok' as const);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { maxLength: 20 }), fc.array(sync, { maxLength: 6 }), async (writes, syncs) => {
      Object.assign(plan, { writes: [...writes], syncs: [...syncs], truncates: [] });
      const before = directory;
      directory = join(before, `${run++}`);
      const sink = await start(600);
      const stored: string[] = [];
      for (let seq = 1; seq <= 4; seq++) {
        const steps = [`${seq}a`, `${seq}b`];
        for (;;) {
          const error = await sink.send(part(steps, seq), never).then(
            () => undefined,
            (reason: unknown) => reason as SinkError,
          );
          if (error === undefined) stored.push(...steps);
          expect(Object.values(await files()).flat()).toEqual(stored);
          if (error === undefined) break;
          expect(error.failure).toBe(error.code === 'ENOSPC' ? 'retry' : 'hold');
        }
      }
      await sink.close();
      directory = before;
    }),
    { numRuns: 60 },
  );
});

test('a full disk is tried again, and says which', async () => {
  const sink = await start();
  plan.writes = ['ENOSPC'];
  const error = await failure(sink.send(part(['canary-4111'], 1), never));
  expect(error).toMatchObject({ failure: 'retry', code: 'ENOSPC' });
  expect(error.message).toContain(directory);
  expect(error.message).not.toContain('canary');
});

test('a file that somebody takes away is not written to: the rows go into the next', async () => {
  const sink = await start();
  await sink.send(part(['a'], 1), never);
  await unlink(join(directory, 'steps-000001.ndjson'));
  await sink.send(part(['b'], 2), never);
  expect(Object.values(await files())).toEqual([['b']]);
});

test('a directory that somebody takes away is held, and made again when the sink is opened again', async () => {
  const sink = await start();
  await sink.send(part(['a'], 1), never);
  await rm(directory, { recursive: true });
  expect(await failure(sink.send(part(['b'], 2), never))).toMatchObject({ failure: 'hold', code: 'ENOENT' });
  await sink.open(never);
  await sink.send(part(['b'], 2), never);
  expect(Object.values(await files())).toEqual([['b']]);
});

test('a directory that cannot be made is held, and named', async () => {
  await writeFile(directory, 'a file stands here');
  const sink = createFilesSink({ name: 'files', directory, tables: ['steps'], max_file_bytes: 1 });
  const error = await failure(sink.open(never));
  expect(error).toMatchObject({ failure: 'hold', code: 'EEXIST' });
  expect(error.message).toContain(directory);
});

test('half a row that could not be cut off at once is cut off before anything else is written', async () => {
  const sink = await start();
  await sink.send(part(['a'], 1), never);
  Object.assign(plan, { writes: ['EIO'], truncates: ['EIO', 'EIO'] });
  const long = part(['b', 'c', 'd', 'e'], 2);
  expect(await failure(sink.send(long, never))).toMatchObject({ failure: 'hold', code: 'EIO' });
  expect(await failure(sink.send(long, never))).toMatchObject({ failure: 'hold', code: 'EIO' });
  // Whole rows of the failed write do not count: they are cut off before anybody looks.
  expect([...(await sink.find!(long, never)).copies]).toEqual([0, 0, 0, 0]);
  await sink.send(part(['f'], 3), never);
  expect(await files()).toEqual({ 'steps-000001.ndjson': ['a', 'f'] });
});

test('half a row that a killed process left is cut off at the start, whatever is left of it', async () => {
  await (await start()).send(part(['a', 'b'], 1), never);
  await (await start()).send(part(['c', 'd'], 2), never);
  const path = join(directory, 'steps-000002.ndjson');
  const whole = await readFile(path, 'utf8');
  const first = whole.indexOf('\n') + 1;
  for (const size of [whole.length - 1, first + 1, first, 5, 0]) {
    await writeFile(path, whole);
    await truncate(path, size);
    await start();
    expect(await files()).toMatchObject({
      'steps-000001.ndjson': ['a', 'b'],
      'steps-000002.ndjson': size < first ? [] : ['c'],
    });
  }
  // A write of several megabytes, of which a power cut left zeros.
  await writeFile(path, Buffer.concat([Buffer.from(whole), Buffer.alloc(3 << 20)]));
  const sink = await start();
  expect(await readFile(path, 'utf8')).toBe(whole);
  await sink.send(part(['e'], 3), never);
  expect(await files()).toMatchObject({ 'steps-000002.ndjson': ['c', 'd'], 'steps-000003.ndjson': ['e'] });
});

describe('a part is looked for', () => {
  const whole = partOfRecords(
    [
      [7, 2],
      [8, 3],
      [12, 1],
    ],
    {},
    4,
  );

  async function found(sink: Sink, part: Part): Promise<number[]> {
    const { copies, lags } = await sink.find!(part, never);
    expect(lags).toBe(false);
    return [...copies];
  }

  test('where nothing is, where all of it is, where some of it is and some of it twice', async () => {
    const sink = await start();
    expect(await found(sink, whole)).toEqual([0, 0, 0, 0, 0, 0]);
    await sink.send(cut(whole, 0, 3), never);
    expect(await found(sink, whole)).toEqual([1, 1, 1, 0, 0, 0]);
    expect(await found(sink, cut(whole, 2, 5))).toEqual([1, 0, 0]);
    await sink.send({ ...whole, settled: Uint8Array.of(1, 0, 1, 0, 0, 0) }, never);
    expect(await found(sink, whole)).toEqual([1, 2, 1, 1, 1, 1]);
  });

  test('by a new process, after a kill in the middle of a row', async () => {
    await (await start()).send(whole, never);
    const path = join(directory, 'steps-000001.ndjson');
    await truncate(path, (await stat(path)).size - 10);
    const sink = await start();
    plan.synced = 0;
    expect(await found(sink, whole)).toEqual([1, 1, 1, 1, 1, 0]);
    // The killed process may not have come to it.
    expect(plan.synced).toBe(1);
    await sink.send({ ...whole, settled: Uint8Array.of(1, 1, 1, 1, 1, 0) }, never);
    expect(await found(sink, whole)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('among rows of other tables, epochs and spools, and among rows as long as a file', async () => {
    const sink = await start();
    const message = 'x'.repeat(2_500_000);
    await sink.send(partOf([stepRow({ message }), stepRow()], { seq: 6 }), never);
    await sink.send(partOfRecords([[7, 9]], { src: 'spool0-epoch1' }), never);
    await sink.send(partOfRecords([[1, 9]], { src: 'spool1-epoch0' }), never);
    await sink.send({ ...whole, table: 'logs' }, never);
    expect(await found(sink, whole)).toEqual([0, 0, 0, 0, 0, 0]);
    const long = partOf([stepRow({ message }), stepRow(), stepRow({ message })], { seq: 20 });
    await sink.send(long, never);
    expect(await found(sink, long)).toEqual([1, 1, 1]);
  });

  test('in all files, since a replay puts rows of old records into new ones', async () => {
    const sink = await start(600);
    for (let seq = 1; seq <= 9; seq++) await sink.send(partOfRecords([[seq, 1]]), never);
    await sink.send(partOfRecords([[3, 1]]), never);
    const last = partOfRecords([
      [3, 1],
      [5, 1],
      [9, 1],
    ]);
    expect(await found(sink, last)).toEqual([2, 1, 1]);
    const oldest = join(directory, 'steps-000001.ndjson');
    await unlink(oldest);
    await mkdir(oldest);
    expect(await failure(sink.find!(last, never))).toMatchObject({ failure: 'hold', code: 'EISDIR' });
  });

  test('record by record, for an audit', async () => {
    const sink = await start(1_500);
    await sink.send(whole, never);
    await sink.send(cut(whole, 1, 3), never);
    await sink.send(partOfRecords([[12, 4]], { src: 'spool0-epoch1' }), never);
    const range = { table: 'steps', day: whole.day, src: 'spool0-epoch0', from: 7, to: 11 } as const;
    const records = new Map([
      [7, { rows: 3, distinct: 2 }],
      [8, { rows: 4, distinct: 3 }],
    ]);
    expect(await sink.stored!(range, never)).toEqual(records);
    expect(await sink.stored!({ ...range, from: 9, to: 11 }, never)).toEqual(new Map());
    expect(await sink.stored!({ ...range, table: 'logs' }, never)).toEqual(new Map());
  });
});

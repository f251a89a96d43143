import {
  closeSync,
  constants,
  cpSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writevSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { Batch } from '../../src/batch.ts';
import type { Severity } from '../../src/log.ts';
import { Slabs } from '../../src/slabs.ts';
import { DiskSpool, type DiskSpoolOptions } from '../../src/spool/disk.ts';
import { diskFs, type SpoolFile, type SpoolFs } from '../../src/spool/files.ts';
import { decodeHeader, HEADER_BYTES } from '../../src/spool/format.ts';
import { NOTHING, type Mark } from '../../src/spool/mark.ts';
import type { SpoolReader, SpoolRecord } from '../../src/spool/spool.ts';
import { FakeClock, HastyClock } from '../support/fake-clock.ts';
import { fingerprint } from './disk-world.ts';

const { O_CREAT, O_RDWR } = constants;

export const never: AbortSignal = new AbortController().signal;
export const LIMITS = { max_rows: 1_000, max_bytes: 8 << 20, linger_ms: 0 };

/** A directory of the test's own. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'steptap-spool-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The real file system, without waiting for the disk, nor for the thread pool: what opens a spool a thousand times has other worries. */
export const quickFs: SpoolFs = {
  ...diskFs,
  open: async (path, how) => quickFile(openSync(path, { create: 'wx+', read: 'r', update: O_CREAT | O_RDWR }[how])),
  syncDirectory: async () => {},
};

function quickFile(file: number): SpoolFile {
  return {
    read: async (into, offset, length, position) => readSync(file, into, offset, length, position),
    write: async (pieces, position) => writevSync(file, [...pieces], position),
    datasync: async () => {},
    truncate: async (length) => ftruncateSync(file, length),
    size: async () => fstatSync(file).size,
    close: async () => closeSync(file),
  };
}

/** The real file system with something in between. */
export function through(wrap: (path: string, file: SpoolFile) => SpoolFile, hooks: Partial<SpoolFs> = {}): SpoolFs {
  return { ...diskFs, ...hooks, open: async (path, how) => wrap(path, await diskFs.open(path, how)) };
}

export function hooked(file: SpoolFile, hooks: Partial<SpoolFile>): SpoolFile {
  return {
    read: (into, offset, length, position) => file.read(into, offset, length, position),
    write: (pieces, position) => file.write(pieces, position),
    datasync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
    ...hooks,
  };
}

export interface Opened {
  readonly spool: DiskSpool;
  readonly clock: FakeClock;
  readonly said: [Severity, string][];
}

export async function open(directory: string, options: Partial<DiskSpoolOptions> = {}): Promise<Opened> {
  const clock = new FakeClock();
  const said: [Severity, string][] = [];
  const spool = await DiskSpool.open({
    directory,
    clock,
    fs: diskFs,
    log: (severity, message) => said.push([severity, message]),
    sync: 'always',
    max_bytes: 8 << 20,
    memory_bytes: 0,
    slabs: new Slabs(),
    least: { seq: 0, mark: NOTHING },
    ...options,
  });
  return { spool, clock, said };
}

/** A record as it was when it was committed, and where it lies. */
export interface Known {
  readonly seq: number;
  readonly all: string;
  readonly before: Mark;
  readonly position: unknown;
  readonly path: string;
  readonly at: number;
  readonly end: number;
}

export function allOf({ src, seq, day, batch, before, size, bases }: SpoolRecord): string {
  return `${src}-${seq} ${day} ${crc32(JSON.stringify([fingerprint(batch, false), before, size, bases]))}`;
}

/** Appends each batch alone, or some at once, as a process that is then killed, or closed in order. What it leaves is `directory`. */
export async function leave(
  batches: readonly Batch[],
  how: 'killed' | 'closed',
  options: Partial<DiskSpoolOptions> & { readonly at_once?: number } = {},
): Promise<{ directory: string; known: Known[]; mark: Mark }> {
  const directory = scratch();
  const left = scratch();
  const records: (Omit<Known, 'path' | 'at' | 'end'> & Pick<SpoolRecord, 'seq'>)[] = [];
  const { at_once = 1 } = options;
  const { spool } = await open(directory, {
    sync: at_once === 1 ? 'always' : 'group',
    clock: new HastyClock(),
    fs: quickFs,
    ...options,
    appended: (record) => {
      const { seq, before, batch } = record;
      records.push({ seq, before, position: batch.position, all: allOf(record) });
    },
  });
  for (let n = 0; n < batches.length; n += at_once) {
    await Promise.all(batches.slice(n, n + at_once).map((batch) => spool.append(batch)));
  }
  await spool.close();
  if (how === 'killed') cpSync(directory, left, { recursive: true });
  await spool.dispose();
  if (how === 'closed') cpSync(directory, left, { recursive: true });
  const places = new Map(
    segmentsOf(left)
      .flatMap(placesOf)
      .map((place) => [place.seq, place]),
  );
  const known = records.map((record) => ({ ...places.get(record.seq)!, ...record }));
  return { directory: left, known, mark: spool.mark };
}

export function segmentsOf(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.seg'));
  return names.sort().map((name) => join(directory, name));
}

/** Where the batches of an undamaged segment lie. */
export function placesOf(path: string): { seq: number; path: string; at: number; end: number }[] {
  const bytes = readFileSync(path);
  const places = [];
  for (let at = 0; at < bytes.length;) {
    const header = decodeHeader(bytes, at);
    if (header === undefined) throw new Error(`${path}: no record at ${at}`);
    const end = at + HEADER_BYTES + header.length;
    if (header.kind === 'batch') places.push({ seq: header.seq, path, at, end });
    at = end;
  }
  return places;
}

/** Everything that a reader still gets. */
export async function drain(spool: DiskSpool, reader: SpoolReader = spool.reader('lane')): Promise<Drained[]> {
  const records: Drained[] = [];
  spool.end();
  for (;;) {
    const taken = await reader.take(LIMITS, never);
    if (taken.length === 0) return records;
    // Then its memory is used again.
    records.push(...taken.map((record) => ({ seq: record.seq, before: record.before, all: allOf(record) })));
    reader.advance(taken.at(-1)!.seq);
  }
}

export type Drained = Pick<Known, 'seq' | 'before' | 'all'>;

export interface Found {
  readonly all: string[];
  readonly seqs: number[];
  readonly befores: Mark[];
  readonly passed: Mark;
  readonly last: number;
  readonly positions: Record<string, unknown>;
  readonly said: [Severity, string][];
}

/** Opens a directory, reads all of it, and closes it again. */
export async function read(directory: string, options: Partial<DiskSpoolOptions> = {}): Promise<Found> {
  const { spool, said } = await open(directory, { sync: 'never', fs: quickFs, ...options });
  const { last } = spool;
  const positions = Object.fromEntries(spool.positions);
  const reader = spool.reader('lane');
  const records = await drain(spool, reader);
  const found = {
    all: records.map(({ all }) => all),
    seqs: records.map(({ seq }) => seq),
    befores: records.map(({ before }) => before),
    passed: reader.passed,
    last,
    positions,
    said,
  };
  await spool.close();
  await spool.dispose();
  return found;
}

/** Puts the files back as they were: the same directory is damaged again and again. */
export function restorer(directory: string): () => void {
  const files = new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
  return () => {
    for (const name of readdirSync(directory)) if (!files.has(name)) rmSync(join(directory, name));
    for (const [name, bytes] of files) {
      const path = join(directory, name);
      let there: Buffer | undefined;
      try {
        there = readFileSync(path);
      } catch {
        // It was renamed or removed.
      }
      if (there === undefined || !there.equals(bytes)) writeFileSync(path, bytes);
    }
  };
}

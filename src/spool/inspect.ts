import type { Batch, Position } from '../batch.ts';
import { errorCode } from '../errors.ts';
import type { SpoolFile, SpoolFs } from './files.ts';
import { HEADER_BYTES, type Header } from './format.ts';
import { entriesOf, type IndexEntry } from './index-table.ts';
import { add, type Mark } from './mark.ts';
import { decodePayload, metaOf } from './payload.ts';
import { Scanner } from './scan.ts';
import { spoolNames, spoolPath } from './names.ts';
import { readIndex } from './reindex.ts';
import { unpack } from './retired.ts';
import { readSeal } from './seal.ts';
import { Sources, type Snapshot } from './sources.ts';

/*
 * Looks at a spool from outside, also while a run is writing to it: nothing is changed, and no lock is needed. A record that is just being written is not seen yet.
 */

/** A file of the spool's directory. */
export interface SpoolFileReport {
  readonly path: string;
  readonly kind: 'segment' | 'retired' | 'set aside';
  readonly bytes: number;
  /** True when it was closed in order. */
  readonly sealed: boolean;
  readonly entries: readonly IndexEntry[];
}

/** The files in the order of their records, with what their indexes say; a segment without one is read through. */
export async function* spoolFiles(fs: SpoolFs, directory: string): AsyncIterable<SpoolFileReport> {
  for (const { name: listed, path: was } of await names(fs, directory)) {
    let [name, path] = [listed, was];
    let file = await openSome(fs, path);
    if (file === undefined && name.endsWith('.seg')) {
      // It was retired since.
      [name, path] = [name, path].map((each) => each.replace(/seg$/, 'idx')) as [string, string];
      file = await openSome(fs, path);
    }
    if (file === undefined) continue;
    try {
      const bytes = await file.size();
      if (name.endsWith('.bad')) yield { path, kind: 'set aside', bytes, sealed: false, entries: [] };
      else if (name.endsWith('.idx'))
        yield { path, kind: 'retired', bytes, sealed: true, entries: await retired(file, bytes) };
      else {
        const sealed = (await readSeal(file)) !== undefined;
        yield { path, kind: 'segment', bytes, sealed, entries: [...entriesOf(await readIndex(file, bytes))] };
      }
    } finally {
      await file.close();
    }
  }
}

/** What a walk through all records finds. */
export type Sight =
  | { readonly path: string; readonly at: number; readonly header: Header; readonly batch: Batch }
  /** Bytes that are no record, or a record whose payload is damaged. */
  | {
      readonly path: string;
      readonly at: number;
      readonly header: Header | undefined;
      readonly batch: undefined;
      readonly bytes: number;
      /** True when it is the end of the newest segment, and the rest of it is just not there: it is being written, or was when the process ended. */
      readonly unfinished: boolean;
    };

/** Every batch from `from` to `to`, in order, and whatever is damaged on the way. */
export async function* spoolRecords(
  fs: SpoolFs,
  directory: string,
  from = 0,
  to = Number.POSITIVE_INFINITY,
): AsyncIterable<Sight> {
  const wanted = (header: Header): boolean => header.kind !== 'batch' || (header.seq >= from && header.seq <= to);
  let last = 0;
  const segments = (await names(fs, directory)).filter(({ name }) => name.endsWith('.seg'));
  for (const [n, { path }] of segments.entries()) {
    const file = await openSome(fs, path);
    if (file === undefined) continue;
    try {
      const end = await file.size();
      const scanner = new Scanner(file, { end });
      for (let item = await scanner.next(wanted); item !== undefined; item = await scanner.next(wanted)) {
        const { at, header } = item;
        if (header !== undefined && !wanted(header)) continue;
        if (header === undefined || item.payload === undefined) {
          const whole = HEADER_BYTES + (header?.length ?? 0);
          const unfinished = n === segments.length - 1 && at + whole > end;
          yield { path, at, header, batch: undefined, bytes: scanner.at - at, unfinished };
        } else if (header.kind === 'batch' && header.seq > last) {
          last = header.seq;
          yield { path, at, header, batch: decodePayload(item.payload) };
        }
      }
    } finally {
      await file.close();
    }
  }
}

/** Where everything stands according to the newest segment. */
export interface Standing {
  readonly last: number;
  readonly mark: Mark | undefined;
  readonly positions: ReadonlyMap<string, Position>;
}

export async function standing(fs: SpoolFs, directory: string): Promise<Standing> {
  const sources = new Sources();
  let last = 0;
  let mark: Mark | undefined;
  const newest = (await names(fs, directory)).filter(({ name }) => name.endsWith('.seg')).slice(-2);
  for (const { path } of newest) {
    const file = await openSome(fs, path);
    if (file === undefined) continue;
    try {
      const scanner = new Scanner(file, { end: await file.size() });
      for (let item = await scanner.next(); item !== undefined; item = await scanner.next()) {
        const { header } = item;
        if (header === undefined || item.payload === undefined) continue;
        last = Math.max(last, header.seq);
        mark = header.kind === 'batch' ? add(header.before, header.size) : header.before;
        if (header.kind === 'snapshot') sources.load(JSON.parse(item.payload.toString('utf8')) as Snapshot);
        else if (header.kind === 'batch') sources.take(metaOf(item.payload), header.committed_ms);
      }
    } finally {
      await file.close();
    }
  }
  return { last, mark, positions: sources.positions };
}

/** Undefined when it was removed since: the run goes on. */
async function openSome(fs: SpoolFs, path: string): Promise<SpoolFile | undefined> {
  try {
    return await fs.open(path, 'read');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function names(fs: SpoolFs, directory: string): Promise<{ name: string; path: string }[]> {
  const found = spoolNames(await fs.list(directory));
  return found.map(({ name, number, kind }) => ({ name, path: spoolPath(directory, number, kind) }));
}

/** One that was cut off while it was written says nothing: its records are not audited. */
async function retired(file: SpoolFile, size: number): Promise<readonly IndexEntry[]> {
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, 0);
  const index = unpack(bytes);
  return index === undefined ? [] : [...entriesOf(index)];
}

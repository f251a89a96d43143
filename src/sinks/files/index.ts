import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import type { Table } from '../../batch.ts';
import { directoryItem } from '../../check/directory.ts';
import { errorCode } from '../../errors.ts';
import { Body, columnIdentity, writeRows } from '../identity.ts';
import { SinkError, STORED, type Found, type Outcome, type Part, type Sink } from '../sink.ts';
import { cutHalfRow, filesOf, pathOf } from './directory.ts';
import { copiesOf, recordsOf } from './scan.ts';

export interface FilesOptions {
  readonly name: string;
  readonly directory: string;
  readonly tables: readonly Table[];
  /** A file is closed, and the next begun, past this size. */
  readonly max_file_bytes: number;
}

interface Open {
  readonly file: FileHandle;
  /** Bytes that are surely whole rows: what a failed write left behind them is cut off. */
  size: number;
  /** Something is behind them, and could not be cut off at once. */
  torn: boolean;
}

/**
 * NDJSON files, `<table>-<number>.ndjson`, one for each table: the rows exactly as ClickHouse gets them. Where the embedded store is not installed,
 * and for dead letters. A part is on the disk (fdatasync) before it counts as stored. Readable by the owner alone. One process at a time writes to a directory.
 */
export function createFilesSink(options: FilesOptions): Sink {
  const body = new Body();
  const files = new Map<Table, Open>();

  async function begin(table: Table): Promise<Open> {
    const newest = (await filesOf(options.directory, table))[0]?.number ?? 0;
    const path = pathOf(options.directory, table, newest + 1);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    const begun: Open = { file: await open(path, flags, 0o600), size: 0, torn: false };
    files.set(table, begun);
    await syncDirectory(options.directory);
    return begun;
  }

  /** A failed write may have left rows, or half a row, that do not count. */
  async function mend(table: Table): Promise<void> {
    const to = files.get(table);
    if (to?.torn !== true) return;
    await to.file.truncate(to.size);
    to.torn = false;
  }

  async function append(table: Table, bytes: Buffer): Promise<void> {
    await mend(table);
    let to = files.get(table) ?? (await begin(table));
    const full = to.size > 0 && to.size + bytes.length > options.max_file_bytes;
    // A file that was taken away still takes rows, which nobody would ever see.
    if (full || (await to.file.stat()).nlink === 0) {
      files.delete(table);
      await to.file.close();
      to = await begin(table);
    }
    let written = 0;
    try {
      while (written < bytes.length) {
        const { bytesWritten } = await to.file.write(bytes, written, bytes.length - written, to.size + written);
        written += bytesWritten;
      }
      await to.file.datasync();
    } catch (error) {
      // A short write or a full disk may have left half a row: the next attempt must not stand behind it.
      to.torn = true;
      await mend(table).catch(() => {});
      throw error;
    }
    to.size += bytes.length;
  }

  async function orFailure<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw failure(error, options.directory);
    }
  }

  return {
    name: options.name,
    tables: new Set(options.tables),
    describe: () => `NDJSON files in ${options.directory}`,
    check: async () => [directoryItem('directory', options.directory)],
    async open() {
      await orFailure(async () => {
        await mkdir(options.directory, { recursive: true, mode: 0o700 });
        // Not of those that are open: their end is known, and is put right by `mend`.
        for (const table of options.tables) if (!files.has(table)) await cutHalfRow(options.directory, table);
      });
    },
    async send(part: Part): Promise<Outcome> {
      body.length = 0;
      writeRows(part, body, columnIdentity);
      await orFailure(() => append(part.table, body.view()));
      return STORED;
    },
    async find(part: Part): Promise<Found> {
      return orFailure(async () => {
        await mend(part.table);
        return { copies: await copiesOf(options.directory, part), lags: false };
      });
    },
    stored: (range) => orFailure(() => recordsOf(options.directory, range)),
    async close() {
      for (const { file } of files.values()) await file.close();
      files.clear();
    },
  };
}

/** Without this, a file may be gone after a power cut though its rows were synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A full disk empties again; anything else needs somebody to look. */
function failure(error: unknown, directory: string): SinkError {
  const code = errorCode(error) ?? 'UNKNOWN';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SinkError('retry', code, `no space left for ${directory}: free some, nothing is lost meanwhile`, {
      cause: error,
    });
  }
  return new SinkError('hold', code, `cannot write to ${directory} (${code}): check its owner and permissions`, {
    cause: error,
  });
}

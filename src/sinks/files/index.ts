import { constants } from 'node:fs';
import { mkdir, open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from '../../batch.ts';
import { errorCode } from '../../errors.ts';
import { Body, columnIdentity, writeRows } from '../identity.ts';
import { SinkError, STORED, type Outcome, type Part, type Sink } from '../sink.ts';

export interface FilesOptions {
  readonly name: string;
  readonly directory: string;
  readonly tables: readonly Table[];
  /** A file is closed, and the next begun, past this size. */
  readonly max_file_bytes: number;
}

interface Open {
  readonly file: FileHandle;
  readonly path: string;
  /** Bytes that are surely whole rows: what a failed write left behind them is cut off. */
  size: number;
}

/**
 * NDJSON files, `<table>-<number>.ndjson`, one for each table: the rows exactly as ClickHouse gets them. Where the embedded store is not installed,
 * and for dead letters. A part is on the disk (fdatasync) before it counts as stored. Readable by the owner alone.
 */
export function createFilesSink(options: FilesOptions): Sink {
  const body = new Body();
  const files = new Map<Table, Open>();

  async function begin(table: Table): Promise<Open> {
    const number = 1 + Math.max(0, ...(await numbers(options.directory, table)));
    const path = join(options.directory, `${table}-${String(number).padStart(6, '0')}.ndjson`);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    const begun: Open = { file: await open(path, flags, 0o600), path, size: 0 };
    files.set(table, begun);
    await syncDirectory(options.directory);
    return begun;
  }

  async function append(table: Table, bytes: Buffer): Promise<void> {
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
      await to.file.truncate(to.size).catch(() => {});
      throw error;
    }
    to.size += bytes.length;
  }

  return {
    name: options.name,
    tables: new Set(options.tables),
    describe: () => `NDJSON files in ${options.directory}`,
    async open() {
      try {
        await mkdir(options.directory, { recursive: true, mode: 0o700 });
      } catch (error) {
        throw failure(error, options.directory);
      }
    },
    async send(part: Part): Promise<Outcome> {
      body.length = 0;
      writeRows(part, body, columnIdentity);
      try {
        await append(part.table, body.view());
      } catch (error) {
        throw failure(error, options.directory);
      }
      return STORED;
    },
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

async function numbers(directory: string, table: Table): Promise<number[]> {
  const pattern = new RegExp(`^${table}-(\\d{6,})\\.ndjson$`);
  const found: number[] = [];
  for (const name of await readdir(directory)) {
    const match = pattern.exec(name);
    if (match !== null) found.push(Number(match[1]));
  }
  return found;
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

import { constants } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from '../../batch.ts';

const CHUNK_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** Files of a table by number, the newest first. */
export async function filesOf(directory: string, table: Table): Promise<{ readonly number: number; path: string }[]> {
  const pattern = new RegExp(`^${table}-(\\d{6,})\\.ndjson$`);
  const found: { number: number; path: string }[] = [];
  for (const name of await readdir(directory)) {
    const match = pattern.exec(name);
    if (match !== null) found.push({ number: Number(match[1]), path: join(directory, name) });
  }
  return found.sort((a, b) => b.number - a.number);
}

export function pathOf(directory: string, table: Table, number: number): string {
  return join(directory, `${table}-${String(number).padStart(6, '0')}.ndjson`);
}

/** Cuts half a row off the end of the table's newest file: a process that was killed, or a power cut, left it there. Returns its path. */
export async function cutHalfRow(directory: string, table: Table): Promise<string | undefined> {
  const [newest] = await filesOf(directory, table);
  if (newest === undefined) return undefined;
  const file = await open(newest.path, constants.O_RDWR);
  try {
    const { size } = await file.stat();
    const whole = await endOfRows(file, size);
    if (whole === size) return undefined;
    await file.truncate(whole);
    await file.datasync();
    return newest.path;
  } finally {
    await file.close();
  }
}

/** The offset behind the last newline. */
async function endOfRows(file: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - chunk.length);
    const { bytesRead } = await file.read(chunk, 0, end - start, start);
    const newline = chunk.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline !== -1) return start + newline + 1;
    end = start;
  }
  return 0;
}

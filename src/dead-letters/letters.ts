import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Table } from '../batch.ts';
import { errorCode } from '../errors.ts';
import { rowIdText } from '../row-id.ts';
import type { SpoolFs } from '../spool/files.ts';
import { spoolRecords } from '../spool/inspect.ts';
import { recordOf } from '../spool/record.ts';

/** A dead letter as it stands in its file: see DeadLetter for what its fields mean. */
export interface Letter {
  readonly _day: string;
  readonly _src: string;
  readonly _seq: number;
  readonly _i: number;
  readonly ts: string;
  readonly reason: string;
  readonly detail: string;
  readonly code?: string;
  readonly sink?: string;
  readonly table?: Table;
  readonly row?: string;
  readonly row_day?: string;
  readonly dialect?: string;
  readonly source?: string;
  readonly offset?: number;
  readonly lines?: number;
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  readonly stream?: string;
  readonly cut?: boolean;
  readonly first_record?: number;
  readonly last_record?: number;
  readonly rows?: number;
  readonly raw?: string;
  readonly raw_base64?: string;
}

/** Which letters are asked for. */
export interface Choice {
  readonly sink?: string | undefined;
  readonly reason?: string | undefined;
}

export function lettersDirectory(state: string): string {
  return join(state, 'dead-letters');
}

/** `<src>-<seq>-<i>`: a letter's own, by which a person names it. */
export function letterId({ _src, _seq, _i }: Letter): string {
  return rowIdText({ src: _src, seq: _seq, i: _i });
}

const FILE = /^rejections-\d{6,}\.ndjson$/;

/** All dead letters of a state directory, oldest first; none when there is no such directory. A line that is only half there yet is left out. */
export async function* readLetters(state: string): AsyncIterable<Letter> {
  const directory = lettersDirectory(state);
  for (const name of await filesOf(directory)) {
    const lines = createInterface({
      input: createReadStream(join(directory, name)),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) {
      const letter = letterOf(line);
      if (letter !== undefined) yield letter;
    }
  }
}

/** Dead letters that stand in the spool from that record on. */
export async function* spooledLetters(fs: SpoolFs, directory: string, from: number): AsyncIterable<Letter> {
  for await (const { header, batch } of spoolRecords(fs, directory, from)) {
    if (batch === undefined || header.size.rejections === 0) continue;
    const { bases } = recordOf(header, batch, 0);
    for (const [index, { table, bytes, ends }] of batch.rows.entries()) {
      if (table !== 'rejections') continue;
      for (let row = 0; row < ends.length; row++) {
        const letter = letterOf(bytes.toString('utf8', row === 0 ? 0 : ends[row - 1], ends[row]));
        const { day: _day, src: _src, seq: _seq } = header;
        if (letter !== undefined) yield { ...letter, _day, _src, _seq, _i: bases[index]! + row };
      }
    }
  }
}

export function chosen(letter: Letter, { sink, reason }: Choice): boolean {
  return (
    (sink === undefined || letter.sink === sink) &&
    (reason === undefined || letter.reason === reason || letter.code === reason)
  );
}

/** The bytes that could not be stored. */
export function rawOf({ raw, raw_base64 }: Letter): Buffer {
  return raw_base64 === undefined ? Buffer.from(raw ?? '') : Buffer.from(raw_base64, 'base64');
}

function letterOf(line: string): Letter | undefined {
  try {
    return JSON.parse(line) as Letter;
  } catch {
    return undefined;
  }
}

async function filesOf(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => FILE.test(name)).sort();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from '../batch.ts';
import { errorCode } from '../errors.ts';
import { lettersDirectory } from './letters.ts';

/** A row of a dead letter that is stored after all. */
export interface Replayed {
  /** Id of the letter. */
  readonly letter: string;
  readonly sink: string;
  readonly table: Table;
  /** `_day`, `_src`, `_seq`, `_i` of the row. */
  readonly day: string;
  readonly src: string;
  readonly seq: number;
  readonly i: number;
  readonly at: string;
}

/**
 * What was replayed, in a file beside the letters. A replay that was interrupted before it got here finds its rows in the sink the next time, and only
 * writes them down.
 */
export class ReplayedFile {
  readonly #path: string;
  readonly #known = new Set<string>();
  readonly all: Replayed[] = [];
  /** Ids of the letters that are stored in some sink. */
  readonly letters = new Set<string>();

  private constructor(path: string) {
    this.#path = path;
  }

  static async read(state: string): Promise<ReplayedFile> {
    const file = new ReplayedFile(join(lettersDirectory(state), 'replayed.ndjson'));
    let text = '';
    try {
      text = await readFile(file.#path, 'utf8');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    for (const line of text.split('\n')) {
      try {
        file.#take(JSON.parse(line) as Replayed);
      } catch {
        // The last line of a replay that was killed.
      }
    }
    return file;
  }

  has(letter: string, sink: string): boolean {
    return this.#known.has(`${letter} ${sink}`);
  }

  /** On the disk when it resolves. */
  async add(rows: readonly Replayed[]): Promise<void> {
    if (rows.length === 0) return;
    const file = await open(this.#path, 'a', 0o600);
    try {
      // A line that was cut off before must not swallow the first of these.
      await file.appendFile(`\n${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    for (const row of rows) this.#take(row);
  }

  #take(row: Replayed): void {
    this.#known.add(`${row.letter} ${row.sink}`);
    this.letters.add(row.letter);
    this.all.push(row);
  }
}

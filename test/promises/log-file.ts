import { appendFileSync, closeSync, openSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskFs } from '../../src/spool/files.ts';
import { standing } from '../../src/spool/inspect.ts';
import type { Oracle, Portion } from './oracle.ts';
import type { Random } from './random.ts';

/** A join may be let go when its stream says nothing for a second: nothing that took longer than this to write is held to be whole. */
const HASTE_MS = 600;

/** The file that tasks write to, and its rotated generations. None is ever removed, so that none of it may be lost. */
export class LogFile {
  readonly path: string;
  /** Bytes in all generations. */
  written = 0;
  /** Events of several lines that were written so slowly that they may be stored in pieces. */
  readonly slow = new Set<string>();
  #generation: { readonly ino: string; before: number }[] = [];

  constructor(path: string) {
    this.path = path;
    this.#begin();
  }

  /** Writes bytes as they are. */
  write(text: string): void {
    appendFileSync(this.path, text, 'latin1');
    this.written += text.length;
  }

  /** Writes a portion, sometimes with a pause in the middle of a line. */
  async tell(portion: Portion, random: Random): Promise<void> {
    const began = performance.now();
    let rest = portion.text;
    while (rest !== '' && random.chance(0.3)) {
      const at = random.between(1, rest.length);
      this.write(rest.slice(0, at));
      rest = rest.slice(at);
      await sleep(random.between(1, 40));
    }
    this.write(rest);
    if (performance.now() - began > HASTE_MS) for (const number of portion.joins) this.slow.add(number);
  }

  /** As kubelet does: the file is renamed, and a new one takes its place. */
  rotate(): void {
    const suffix = String(this.#generation.length).padStart(6, '0');
    renameSync(this.path, join(dirname(this.path), `${basename(this.path)}.20260219-${suffix}`));
    this.#begin();
  }

  get generations(): number {
    return this.#generation.length;
  }

  /** How many bytes are committed to the spool of a state directory, according to its files. */
  async committed(state: string): Promise<number> {
    const position = await this.position(state);
    const of = this.#generation.find(({ ino }) => ino === position?.['ino']);
    return of === undefined ? 0 : of.before + Number(position!['offset']);
  }

  async position(state: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    try {
      return (await standing(diskFs, join(state, 'spool'))).positions.get(this.path);
    } catch {
      // It is not there yet, or a segment was removed while it was looked at.
      return undefined;
    }
  }

  #begin(): void {
    closeSync(openSync(this.path, 'a'));
    this.#generation.push({ ino: `${statSync(this.path, { bigint: true }).ino}`, before: this.written });
  }
}

export interface WriterOptions {
  readonly file: LogFile;
  readonly oracle: Oracle;
  readonly random: Random;
  readonly rotates: boolean;
  /** Bytes that are committed, as it was last seen. */
  readonly committed: () => number;
  /** Milliseconds between two portions: the least and the most. */
  readonly pause: () => readonly [number, number];
}

/** Nothing is written while so much waits to be read: a test is no endurance run. */
const MOST_AHEAD = 2 << 20;

/** Writes all the time, so that there is always something in flight. */
export class Writer {
  readonly #options: WriterOptions;
  #going = true;
  #paused = 0;
  #done: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Runs `work` while nobody else writes: between two portions, with no join open. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#paused += 1;
    await this.#idle();
    try {
      return await work();
    } finally {
      this.#paused -= 1;
    }
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  #busy = false;

  async #idle(): Promise<void> {
    while (this.#busy) await sleep(1);
  }

  async #run(): Promise<void> {
    const { file, oracle, random, rotates, committed, pause } = this.#options;
    let n = 0;
    while (this.#going) {
      n += 1;
      if (this.#paused === 0 && file.written - committed() < MOST_AHEAD) {
        this.#busy = true;
        await file.tell(oracle.portion(random.between(1, 30)), random);
        if (rotates && n % 150 === 0) file.rotate();
        this.#busy = false;
      }
      await sleep(random.between(...pause()));
    }
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Position } from '../../src/batch.ts';
import type { Log } from '../../src/log.ts';
import { fileSource, type FileOptions } from '../../src/sources/file/index.ts';
import type { Opened, ByteSource } from '../../src/sources/source.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A directory of its own for every test, and what was said in it. */
export class Place {
  directory = '';
  readonly said: string[] = [];
  readonly log: Log = (_severity, message) => this.said.push(message.replace(`${this.directory}/`, ''));
  readonly #open: Reading[] = [];

  constructor() {
    beforeEach(async () => {
      this.directory = await mkdtemp(join(tmpdir(), 'steptap-file-'));
      this.said.length = 0;
    });
    afterEach(async () => {
      for (const reading of this.#open.splice(0)) await reading.stop();
      await rm(this.directory, { recursive: true, force: true });
    });
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  read(name: string, from?: Position, options: FileOptions = {}): Reading {
    const clock = new FakeClock();
    const source = fileSource(this.at(name), { clock, log: this.log, ...options });
    const reading = new Reading(source, from, clock);
    this.#open.push(reading);
    return reading;
  }
}

/** One opening of a source, and all that came out of it. */
export class Reading {
  readonly source: ByteSource;
  readonly opened: Opened;
  readonly clock: FakeClock;
  text = '';
  ended = false;

  constructor(source: ByteSource, from: Position | undefined, clock: FakeClock) {
    this.source = source;
    this.clock = clock;
    // As it comes out of the spool.
    this.opened = source.open(from === undefined ? undefined : (JSON.parse(JSON.stringify(from)) as Position));
    this.opened.bytes.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')));
    this.opened.bytes.on('end', () => (this.ended = true));
  }

  /** The position behind the first `length` bytes that came; without it, behind all of them. */
  position(length = this.text.length): Position {
    return this.source.position(this.opened.offset + length);
  }

  async end(): Promise<this> {
    await this.until(() => this.ended);
    return this;
  }

  async stop(): Promise<void> {
    const { bytes } = this.opened;
    bytes.destroy();
    await until(() => bytes.closed);
  }

  /** Lets time pass, and the disk work, until it is so. */
  async until(so: () => boolean): Promise<void> {
    await until(so, () => this.clock.advance(50));
  }

  /** Lets so much time pass in which everything that the disk has to say is said. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      await this.clock.advance(50);
      await real(3);
    }
  }

  async says(text: string): Promise<void> {
    await this.until(() => this.text.length >= text.length || this.ended);
    if (this.text !== text) throw new Error(`it says ${JSON.stringify(this.text)}, not ${JSON.stringify(text)}`);
  }
}

export async function real(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function until(so: () => boolean, step: () => Promise<void> = async () => {}): Promise<void> {
  for (let turn = 0; !so(); turn++) {
    if (turn > 2_000) throw new Error('it never was so');
    await step();
    await real(1);
  }
}

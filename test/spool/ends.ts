import assert from 'node:assert/strict';
import type { DiskSpool } from '../../src/spool/disk.ts';
import type { SpoolReader } from '../../src/spool/spool.ts';
import { batchOf, fingerprint } from './disk-world.ts';
import { LIMITS, never } from './scenes.ts';

/** Lets everybody else run. */
export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** A source that does not wait to be acknowledged, and a lane that checks what it is given. */
export class Ends {
  readonly spool: DiskSpool;
  readonly reader: SpoolReader;
  readonly sizes: number[] = [];
  /** Numbers that were acknowledged, and refused, in the order of it. */
  readonly acknowledged: number[] = [];
  readonly refused: Error[] = [];
  /** Numbers that arrived. */
  readonly arrived: number[] = [];
  readonly appending: Promise<void>[] = [];

  constructor(spool: DiskSpool) {
    this.spool = spool;
    this.reader = spool.reader('lane');
  }

  append(...sizes: number[]): void {
    for (const size of sizes) {
      const number = this.sizes.push(size) - 1;
      this.appending.push(
        this.spool.append(batchOf('a', number, size)).then(
          () => void this.acknowledged.push(number),
          (error: Error) => void this.refused.push(error),
        ),
      );
    }
  }

  /** Until sources wait for room, and nothing goes on. */
  async standstill(): Promise<void> {
    while (!this.spool.usage().full) await turns(1);
    const seen = this.acknowledged.length;
    await turns(500);
    assert.deepEqual([this.spool.usage().full, this.acknowledged.length], [true, seen]);
  }

  async take(): Promise<void> {
    const records = await this.reader.take({ ...LIMITS, max_bytes: 1 << 20 }, never);
    for (const { seq, batch } of records) {
      const number = Number(batch.position['at']);
      assert.deepEqual([seq, fingerprint(batch)], [number + 1, fingerprint(batchOf('a', number, this.sizes[number]!))]);
      this.arrived.push(number);
    }
    const last = records.at(-1);
    if (last === undefined) return;
    this.reader.advance(last.seq);
    this.reader.keep(last.seq);
  }

  /** Everything that was appended is acknowledged, and arrives, once and in order. */
  async drained(): Promise<void> {
    while (this.arrived.length < this.sizes.length) await this.take();
    await Promise.all(this.appending);
    assert.deepEqual(this.refused, []);
    const all = this.sizes.map((_, number) => number);
    assert.deepEqual([this.acknowledged, this.arrived], [all, all]);
  }

  async close(): Promise<void> {
    await this.spool.close();
    await this.spool.dispose();
  }
}

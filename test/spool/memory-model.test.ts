import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchBytes, type Batch } from '../../src/batch.ts';
import { add, markOf, NOTHING, type Mark } from '../../src/spool/mark.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import type { SpoolReader, SpoolRecord, TakeLimits } from '../../src/spool/spool.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { rowsOf, stepRow } from '../support/rows.ts';

/** From no rows at all to more bytes than the spool holds. */
const BATCHES: readonly Batch[] = [0, 1, 1, 2, 3, 5, 12].map((rows, number) => {
  const list = Array.from({ length: rows }, () => stepRow({ message: 'x'.repeat(number * 20) }));
  const position = { number };
  return { source: 'test', position, lines: rows, rows: rows === 0 ? [] : [rowsOf('steps', list)] };
});
const MAX_BYTES = 6_000;
const DAY_MS = 86_400_000;

interface Held {
  readonly seq: number;
  readonly bytes: number;
  readonly rows: number;
  readonly row_bytes: number;
  readonly day: string;
  readonly at: number;
}

interface Take {
  readonly limits: TakeLimits;
  result: readonly SpoolRecord[] | undefined;
}

/** One reader, as it is and as it should be. */
class ReaderTwin {
  readonly real: SpoolReader;
  readonly late: boolean;
  settled: number;
  next: number;
  take: Take | undefined;

  constructor(real: SpoolReader, late: boolean, first: number) {
    this.real = real;
    this.late = late;
    this.settled = first - 1;
    this.next = first;
  }
}

const seqsOf = (records: Iterable<{ readonly seq: number }>): number[] => Array.from(records, ({ seq }) => seq);

/** The spool and a model of it, side by side: every action is done to both, and then both are compared. */
class Twins {
  readonly clock = new FakeClock('2026-11-21T23:59:00Z');
  readonly #never = new AbortController().signal;
  readonly spool = new MemorySpool({ clock: this.clock, max_bytes: MAX_BYTES });
  readonly readers: ReaderTwin[] = [];
  readonly held: Held[] = [];
  readonly waiting: { readonly batch: Batch; readonly number: number }[] = [];
  /** Number of the append -> seq, as the model and as the spool say. */
  readonly expected = new Map<number, number>();
  readonly resolved = new Map<number, number>();
  /** What was committed up to each record. */
  readonly marks: Mark[] = [NOTHING];
  appends = 0;
  first = 1;
  bytes = 0;
  ended = false;
  closed = false;

  append(batch: Batch, reserved: boolean): void {
    if (this.closed) return;
    const number = this.appends++;
    void this.spool.append(batch, { reserved }).then(({ seq }) => this.resolved.set(number, seq));
    if (!reserved && (this.waiting.length > 0 || !this.#fits(batch))) this.waiting.push({ batch, number });
    else this.#commit(batch, number);
  }

  reader(late: boolean): void {
    if (this.readers.length === 4) return;
    this.readers.push(
      new ReaderTwin(this.spool.reader(`lane${this.readers.length}`, late ? { until: 'lanes' } : {}), late, this.first),
    );
  }

  take(reader: ReaderTwin, limits: TakeLimits): void {
    if (reader.take !== undefined) return;
    const take: Take = { limits, result: undefined };
    reader.take = take;
    void reader.real.take(limits, this.#never).then((records) => (take.result = records));
  }

  advance(reader: ReaderTwin, share: number): void {
    const seq = reader.settled + Math.ceil((reader.next - 1 - reader.settled) * share);
    reader.real.advance(seq);
    reader.settled = Math.max(reader.settled, seq);
    const all = Math.min(...this.readers.map((each) => each.settled));
    while (this.held.length > 0 && this.first <= all) {
      this.bytes -= this.held.shift()!.bytes;
      this.first += 1;
    }
    while (this.waiting.length > 0 && this.#fits(this.waiting[0]!.batch)) {
      const { batch, number } = this.waiting.shift()!;
      this.#commit(batch, number);
    }
  }

  end(close: boolean): void {
    this.ended = true;
    this.closed ||= close;
    if (close) void this.spool.close();
    else this.spool.end();
  }

  /** After everything that was due has happened. */
  compare(): void {
    assert.deepEqual(this.resolved, this.expected);
    assert.deepEqual(this.spool.usage(), { bytes: this.bytes, max_bytes: MAX_BYTES, full: this.waiting.length > 0 });
    assert.deepEqual([this.spool.last, this.spool.mark], [this.marks.length - 1, this.marks.at(-1)]);
    for (const reader of this.readers) {
      this.#compareTake(reader);
      const { settled, passed, holding } = reader.real;
      assert.deepEqual(settled, { seq: reader.settled, mark: this.marks[reader.settled] });
      assert.deepEqual([passed, holding], [this.marks[reader.next - 1], reader.settled < reader.next - 1]);
    }
  }

  #compareTake(reader: ReaderTwin): void {
    const { take } = reader;
    if (take === undefined) return;
    const { limits, result } = take;
    const there = this.held.filter(({ seq }) => seq >= reader.next);
    const over = reader.late ? this.closed : this.ended;
    const sum = (of: (record: Held) => number): number => there.reduce((total, record) => total + of(record), 0);
    const enough = sum(({ rows }) => rows) >= limits.max_rows || sum(({ row_bytes }) => row_bytes) >= limits.max_bytes;
    const lingered = there[0] !== undefined && this.clock.monotonic() >= there[0].at + limits.linger_ms;
    const due = there.length === 0 ? over : enough || lingered || this.ended || this.waiting.length > 0;
    if (result === undefined) {
      // It may give up lingering early, where it knows that no more fits; it must not wait when it is due.
      assert(!due, 'a take that is due has been answered');
      return;
    }
    reader.take = undefined;
    if (result.length === 0) {
      assert(over, 'only the end gives nothing');
      return;
    }
    const taken = there.slice(0, result.length);
    assert.deepEqual(seqsOf(result), seqsOf(taken));
    assert.equal(new Set(result.map(({ day }) => day)).size, 1);
    if (result.length > 1) {
      assert(taken.reduce((total, { rows }) => total + rows, 0) <= limits.max_rows);
      assert(taken.reduce((total, { row_bytes }) => total + row_bytes, 0) <= limits.max_bytes);
    }
    reader.next += result.length;
  }

  #fits(batch: Batch): boolean {
    return this.bytes === 0 || this.bytes + batchBytes(batch) <= MAX_BYTES;
  }

  #commit(batch: Batch, number: number): void {
    const seq = this.first + this.held.length;
    const bytes = batchBytes(batch);
    const rows = batch.rows[0]?.ends.length ?? 0;
    const row_bytes = batch.rows[0]?.bytes.length ?? 0;
    const day = new Date(this.clock.wall()).toISOString().slice(0, 10);
    this.held.push({ seq, bytes, rows, row_bytes, day, at: this.clock.monotonic() });
    this.bytes += bytes;
    this.expected.set(number, seq);
    this.marks.push(add(this.marks.at(-1)!, markOf(batch, bytes)));
  }
}

/** Something that a source, a lane or time does; its name is what a failure shows. */
class Action {
  readonly name: string;
  readonly run: (twins: Twins) => void | Promise<void>;

  constructor(name: string, run: (twins: Twins) => void | Promise<void>) {
    this.name = name;
    this.run = run;
  }

  [fc.toStringMethod](): string {
    return this.name;
  }
}

const reader = (twins: Twins, number: number): ReaderTwin | undefined => twins.readers[number % twins.readers.length];

const appending = fc
  .tuple(fc.nat(BATCHES.length - 1), fc.nat(9))
  .map(([n, one]) => new Action(`append ${n}${one === 0 ? ' reserved' : ''}`, (t) => t.append(BATCHES[n]!, one === 0)));

const limits = fc.record({
  max_rows: fc.integer({ min: 1, max: 15 }),
  max_bytes: fc.integer({ min: 1, max: 5_000 }),
  linger_ms: fc.nat(60),
});

const taking = fc.tuple(fc.nat(3), limits).map(([number, limit]) => {
  return new Action(`${number} takes ${JSON.stringify(limit)}`, (twins) => {
    const which = reader(twins, number);
    if (which !== undefined) twins.take(which, limit);
  });
});

const advancing = fc.tuple(fc.nat(3), fc.constantFrom(0, 0.5, 1)).map(([number, share]) => {
  return new Action(`${number} advances ${share}`, (twins) => {
    const which = reader(twins, number);
    if (which !== undefined) twins.advance(which, share);
  });
});

const waiting = fc
  .constantFrom(1, 20, 60, 70_000, DAY_MS)
  .map((ms) => new Action(`${ms} ms pass`, (twins) => twins.clock.advance(ms)));

const joining = fc.boolean().map((late) => new Action(late ? 'a late reader' : 'a reader', (t) => t.reader(late)));

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: appending },
  { weight: 6, arbitrary: taking },
  { weight: 5, arbitrary: advancing },
  { weight: 3, arbitrary: waiting },
  { weight: 1, arbitrary: joining },
);

test('whatever sources and lanes do, the spool does what its contract says', async () => {
  const actions = fc.array(action, { minLength: 10, maxLength: 60 });
  const checked = fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
      actions,
      actions,
      async (lates, before, after) => {
        const twins = new Twins();
        for (const late of lates) twins.reader(late);
        const step = async (run: Action['run']): Promise<void> => {
          await run(twins);
          await settled();
          twins.compare();
        };
        for (const each of before) await step(each.run);
        await step(() => twins.end(false));
        for (const each of after.slice(0, 15)) await step(each.run);
        await step(() => twins.end(true));
        for (const each of twins.readers) {
          for (let turn = 0; each.next <= twins.first + twins.held.length - 1 && turn < 500; turn++) {
            await step(() => twins.take(each, { max_rows: 3, max_bytes: 500, linger_ms: 1_000 }));
          }
        }
        for (const each of twins.readers) {
          await step(() => twins.take(each, { max_rows: 3, max_bytes: 500, linger_ms: 1_000 }));
          await step(() => twins.advance(each, 1));
        }
      },
    ),
    { numRuns: 150 },
  );
  await expect(checked).resolves.toBeUndefined();
});

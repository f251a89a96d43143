import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import type { Batch, Position } from '../../src/batch.ts';
import { Slabs } from '../../src/slabs.ts';
import { DiskSpool, type SyncPolicy } from '../../src/spool/disk.ts';
import { add, NOTHING, type Mark } from '../../src/spool/mark.ts';
import { Slots } from '../../src/spool/slots.ts';
import type { SpoolReader, SpoolRecord, TakeLimits } from '../../src/spool/spool.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { OracleFs } from '../support/oracle-fs.ts';
import { rowsOf, stepRow } from '../support/rows.ts';

export const DIRECTORY = '/spool';

/** Whose wall clock an operator, or NTP, sets. */
export class SetClock extends FakeClock {
  #set_ms = 0;

  override wall(): number {
    return super.wall() + this.#set_ms;
  }

  set(ms: number): void {
    this.#set_ms += ms;
  }
}

/** Durations that look like the beginning of a record, or like nothing. */
const DURATIONS = [1.25, Number.NaN, Buffer.from('0102fef8ff9d0304', 'hex').readDoubleLE(), 0];

/** How much is in a batch: nothing but a position, a row, several tables, and rows up to more than a segment. */
export const SIZES = [0, 1, 2, 60_000, 300_000, 1_200_000];

/** The batch with that number of a source that reads the same again whenever it is asked to. */
export function batchOf(source: string, number: number, size: number, resumes = true): Batch {
  const step = (n: number, length: number): ReturnType<typeof stepRow> =>
    stepRow({
      message: `${source}:${number}:${n}:${'x'.repeat(length)}`,
      task: `task${(number + n) % 3}`,
      wall_time_s: DURATIONS[(number + n) % DURATIONS.length],
    });
  const rows = [];
  if (size > 0) rows.push(rowsOf('steps', size === 2 ? [step(0, 9), step(1, 1), step(2, 0)] : [step(0, size)]));
  if (size === 2) rows.push(rowsOf('logs', [step(3, 5)]), rowsOf('rejections', [step(4, 0), step(5, 0)]));
  return { source, position: resumes ? { at: number } : {}, lines: number % 7, rows };
}

/** All of a batch, to the bit, but for the memory it lies in; with `observed`, also the labels and durations that are read out of its rows. */
export function fingerprint(batch: Batch, observed = true): string {
  const rows = batch.rows.map((each) => {
    const { table, bytes, ends } = each;
    const exact = [table, crc32(bytes), bytes.length, [...ends]];
    if (!observed) return exact;
    const labels = Array.from(each.tuple, (n) => JSON.stringify({ ...each.dictionary[n]!, id: 0 }));
    return [...exact, crc32(labels.join('\n')), Array.from(each.durations, String)];
  });
  return JSON.stringify([batch.source, batch.position, batch.lines, rows]);
}

/** A source that goes on from the position that it finds. */
interface SourceTwin {
  readonly name: string;
  next: number;
  /** The last that was acknowledged. */
  acked: number;
  readonly sizes: number[];
}

interface Cursor {
  readonly settled: number;
  readonly at: Mark;
  /** Records up to `settled` were given up, and how much that was is not known yet. */
  readonly gap: boolean;
}

/** A lane: takes, settles, writes its cursor. What it was given in all its lives. */
class LaneTwin {
  readonly name: string;
  readonly drops: boolean;
  readonly got = new Map<string, number>();
  readonly dropped: [number, number][] = [];
  reader!: SpoolReader;
  slots!: Slots;
  /** As it was last read or written. */
  cursor: Cursor | undefined;
  taking = false;
  hand: readonly SpoolRecord[] = [];
  next = 1;
  mark: Mark | undefined = NOTHING;
  given_up = 0;
  over = false;
  saving: Promise<void> = Promise.resolve();

  constructor(name: string, drops: boolean) {
    this.name = name;
    this.drops = drops;
  }
}

interface Identity {
  readonly src: string;
  readonly seq: number;
  readonly all: string;
}

export interface WorldOptions {
  readonly seed: number;
  readonly lanes: readonly boolean[];
  readonly memory_bytes: number;
  readonly max_bytes: number;
  readonly sync: SyncPolicy;
}

const LIMITS: TakeLimits = { max_rows: 50, max_bytes: 500_000, linger_ms: 100 };

/**
 * A spool on a file system that fails, with sources before it and lanes behind it, over any number of lives; and what has to be true of it all.
 *
 * A source's batches are numbered, and after a restart it goes on behind the position that it finds. So whatever was lost or stored twice shows as a number that is
 * missing or has two identities.
 */
export class World {
  readonly clock = new SetClock('2026-11-21T23:58:00Z');
  readonly options: WorldOptions;
  readonly sources: readonly SourceTwin[] = ['a', 'b'].map((name) => ({ name, next: 0, acked: -1, sizes: [] }));
  readonly lanes: readonly LaneTwin[];
  fs: OracleFs;
  spool!: DiskSpool;
  life = 0;
  pending = 0;
  letters = 0;
  /** Since something was acknowledged. */
  faults = 0;
  readonly failures: unknown[] = [];
  /** By source and number. */
  readonly #identities = new Map<string, Identity>();
  readonly #owners = new Map<string, string>();
  /** Acknowledged in this life, by number. */
  #committed = new Set<number>();
  #began = 0;
  /** Aborted by nobody; of this life, since those who died with it listen for ever. */
  #never = new AbortController().signal;
  #segments = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.fs = new OracleFs(options.seed);
    this.lanes = options.lanes.map((drops, n) => new LaneTwin(`lane-${n}`, drops));
  }

  async start(): Promise<void> {
    this.life += 1;
    this.pending = 0;
    this.faults = 0;
    this.#committed = new Set();
    this.#never = new AbortController().signal;
    const { clock, fs, options } = this;
    const { memory_bytes, max_bytes, sync } = options;
    const log = (): void => {};
    const cursors = [];
    for (const lane of this.lanes) {
      const { slots, state } = await Slots.open(fs, `${DIRECTORY}/cursor.${lane.name}`, 4096);
      lane.slots = slots;
      lane.cursor = state as Cursor | undefined;
      if (lane.cursor !== undefined) cursors.push(lane.cursor);
    }
    const seq = Math.max(0, ...cursors.map((each) => each.settled));
    const least = { seq, mark: cursors.find((each) => each.settled === seq)?.at ?? NOTHING };
    const life = this.life;
    const failed = (error: Error): void => void this.failures.push(error);
    this.spool = await DiskSpool.open({
      directory: DIRECTORY,
      clock,
      fs,
      log,
      sync,
      max_bytes,
      memory_bytes,
      slabs: new Slabs(),
      least,
      failed,
      appended: (record) => {
        if (life === this.life) this.#identify(record);
      },
    });
    this.#began = this.spool.last;
    this.#segments = 0;
    for (const lane of this.lanes) this.#join(lane);
    for (const source of this.sources) {
      const at = Number(this.spool.positions.get(source.name)?.['at'] ?? -1);
      assert(at >= source.acked, `${source.name} was acknowledged up to ${source.acked}, and goes on behind ${at}`);
      assert(at < source.next, `${source.name} stands at ${at}, and has only sent ${source.next}`);
      source.next = at + 1;
    }
  }

  #join(lane: LaneTwin): void {
    const { cursor } = lane;
    const settledAt = cursor === undefined ? undefined : { seq: cursor.settled, mark: cursor.at };
    const give_up = lane.drops ? (seq: number): void => this.#giveUp(lane, seq) : undefined;
    lane.reader = this.spool.reader(lane.name, { settled: settledAt, give_up });
    // Whatever a cursor that was written says is still to come has to be there.
    if (cursor !== undefined) assert.deepEqual(lane.reader.settled, settledAt);
    lane.next = lane.reader.settled.seq + 1;
    lane.mark = cursor?.gap === true ? undefined : lane.reader.settled.mark;
    lane.hand = [];
    lane.taking = false;
    lane.over = false;
    lane.given_up = 0;
    lane.saving = Promise.resolve();
  }

  append(source: SourceTwin, size: number): void {
    const number = source.next++;
    source.sizes[number] ??= size;
    const batch = batchOf(source.name, number, source.sizes[number]);
    this.#append(batch, false, () => (source.acked = Math.max(source.acked, number)));
  }

  /** A lane's own: it has no position, and is not sent again. */
  appendLetter(): void {
    this.#append(batchOf('letters', this.letters++, 1, false), true, () => {});
  }

  #append(batch: Batch, reserved: boolean, acked: () => void): void {
    const { life } = this;
    this.pending += 1;
    const done = this.spool.append(batch, { reserved }).then(({ seq }) => {
      if (life !== this.life) return;
      this.pending -= 1;
      this.faults = 0;
      this.#committed.add(seq);
      const known = this.#identities.get(nameOf(batch));
      assert(
        known?.seq === seq && known.src === this.spool.src,
        'what is acknowledged was committed, under that number',
      );
      acked();
    });
    this.#watch(done);
  }

  take(lane: LaneTwin, limits: Partial<TakeLimits> = {}): void {
    if (lane.taking || lane.over || lane.hand.length > 0) return;
    const { life } = this;
    lane.taking = true;
    const wanted = { ...LIMITS, ...limits };
    const done = lane.reader.take(wanted, this.#never).then((records) => {
      if (life !== this.life) return;
      lane.taking = false;
      lane.hand = records;
      lane.over = records.length === 0;
      this.#check(lane, records, wanted);
    });
    this.#watch(done);
  }

  /** What is found wrong meanwhile is thrown by the step. */
  #watch(done: Promise<void>): void {
    const { life } = this;
    done.catch((error: unknown) => {
      if (life === this.life) this.failures.push(error);
    });
  }

  #check(lane: LaneTwin, records: readonly SpoolRecord[], limits: TakeLimits): void {
    assert(new Set(records.map(({ day, src }) => `${day} ${src}`)).size <= 1, 'a block is of one day and one epoch');
    let rows = 0;
    let bytes = 0;
    for (const record of records) {
      const { seq, before, size, src, batch } = record;
      if (lane.mark === undefined) assert(seq >= lane.next);
      else assert.deepEqual({ seq, before }, { seq: lane.next, before: lane.mark });
      lane.next = seq + 1;
      lane.mark = add(before, size);
      rows += size.steps + size.logs + size.events + size.rejections;
      for (const each of batch.rows) bytes += each.bytes.length;
      const name = this.#identify(record);
      lane.got.set(name, seq);
      if (src !== this.spool.src) assert(seq <= this.#began, 'an earlier epoch has lower numbers');
      else this.#unacknowledged.push(seq);
    }
    assert(
      records.length <= 1 || (rows <= limits.max_rows && bytes <= limits.max_bytes),
      'a block is within its limits',
    );
  }

  /** Read in this life: has to be acknowledged by the end of the step. */
  #unacknowledged: number[] = [];

  /** One batch has one identity, and one identity one batch, for ever. */
  #identify({ src, seq, day, batch, before, size, bases }: SpoolRecord): string {
    const name = nameOf(batch);
    const all = `${fingerprint(batch)} ${day} ${JSON.stringify([before, size, bases])}`;
    const known = this.#identities.get(name);
    if (known !== undefined) assert.deepEqual({ src, seq, all }, known);
    this.#identities.set(name, { src, seq, all });
    const owner = this.#owners.get(`${src}-${seq}`) ?? name;
    assert.equal(owner, name);
    this.#owners.set(`${src}-${seq}`, name);
    const source = this.sources.find((each) => each.name === batch.source);
    const expected =
      source === undefined
        ? batchOf('letters', Number(name.split(':')[1]), 1, false)
        : batchOf(source.name, Number(batch.position['at']), source.sizes[Number(batch.position['at'])]!);
    assert.equal(fingerprint(batch), fingerprint(expected));
    return name;
  }

  /** The cursor is written through to the disk, or only into the page cache, or not at all. */
  settle(lane: LaneTwin, cursor: 'synced' | 'written' | 'not written'): void {
    const last = lane.hand.at(-1);
    if (last === undefined) return;
    lane.hand = [];
    lane.reader.advance(last.seq);
    assert.deepEqual(lane.reader.settled, { seq: last.seq, mark: add(last.before, last.size) });
    if (cursor !== 'not written') this.#save(lane, cursor === 'synced');
    this.#obey(lane);
  }

  /** Only what is surely on the disk may be removed from it. */
  #save(lane: LaneTwin, sync: boolean): void {
    const { life } = this;
    const { seq, mark } = lane.reader.settled;
    const cursor: Cursor = { settled: seq, at: mark, gap: lane.mark === undefined };
    lane.saving = lane.saving
      .then(() => lane.slots.write(cursor, sync))
      .then(() => {
        if (sync && life === this.life) lane.reader.keep(seq);
      })
      .catch(() => {});
  }

  #giveUp(lane: LaneTwin, seq: number): void {
    lane.given_up = Math.max(lane.given_up, seq);
    this.#obey(lane);
  }

  #obey(lane: LaneTwin): void {
    if (lane.given_up <= lane.reader.settled.seq || lane.reader.holding) {
      // It is settled already: then only its cursor has to be written.
      if (lane.given_up > 0 && !lane.reader.holding) this.#save(lane, true);
      return;
    }
    lane.reader.skip(lane.given_up);
    lane.dropped.push([lane.next, lane.given_up]);
    lane.next = Math.max(lane.next, lane.given_up + 1);
    lane.mark = undefined;
    lane.reader.advance(lane.given_up);
    this.#save(lane, true);
  }

  /** After everything that was due has happened. */
  async step(ms = 0): Promise<void> {
    await this.clock.advance(ms);
    await settled();
    for (const error of this.failures) throw error;
    for (const seq of this.#unacknowledged) assert(this.#committed.has(seq), 'nothing is read before it is committed');
    this.#unacknowledged = [];
    const { segments } = this.spool;
    assert(segments.length >= Math.min(this.#segments, 2), 'the last two segments stay');
    this.#segments = Math.max(this.#segments, segments.length);
    const { bytes, max_bytes } = this.spool.usage();
    assert(
      bytes <= Math.max(max_bytes, TWO_SEGMENTS_BYTES) + LETTERS_BYTES,
      `${bytes} bytes are more than ${max_bytes}`,
    );
  }

  async die(how: 'kill' | 'power cut'): Promise<void> {
    this.life += 1;
    this.fs = this.fs.crash(this.options.sync === 'never' ? 'kill' : how);
    await this.start();
  }

  /** Everything works again: everything that was sent arrives everywhere, once. */
  async finish(): Promise<void> {
    this.fs.capacity = Number.POSITIVE_INFINITY;
    this.fs.plan = () => undefined;
    // A lane writes its cursor until it is written.
    for (const lane of this.lanes) this.#save(lane, true);
    for (let turn = 0; this.pending > 0; turn++) {
      assert(turn < 300, `${this.pending} appends wait for ever`);
      for (const lane of this.lanes) this.take(lane);
      await this.step(250);
      for (const lane of this.lanes) this.settle(lane, 'synced');
      await this.step(1);
    }
    this.spool.end();
    for (let turn = 0; this.lanes.some(({ over }) => !over); turn++) {
      assert(turn < 1000, 'a lane never comes to the end');
      for (const lane of this.lanes) this.take(lane);
      await this.step(100);
      for (const lane of this.lanes) this.settle(lane, 'synced');
      await this.step();
    }
    for (const source of this.sources) {
      for (let number = 0; number < source.next; number++) this.#arrived(`${source.name}:${number}`);
    }
    for (const name of this.#identities.keys()) this.#arrived(name);
  }

  #arrived(name: string): void {
    const known = this.#identities.get(name);
    for (const lane of this.lanes) {
      const dropped = known === undefined || lane.dropped.some(([from, to]) => known.seq >= from && known.seq <= to);
      assert(lane.got.has(name) || (lane.drops && dropped), `${lane.name} was never given ${name}`);
    }
  }

  /** Closes in order, and opens again. */
  async restart(): Promise<void> {
    const closing = this.spool.close();
    await this.step(30_000);
    await closing;
    for (const lane of this.lanes) await lane.saving;
    await this.spool.dispose();
    const { last, mark, positions } = this.spool;
    await this.start();
    assert.deepEqual([this.spool.last, this.spool.mark], [last, mark]);
    assert.deepEqual(new Map<string, Position>(this.spool.positions), positions);
  }
}

/** Two are always kept, each of 1 MiB and the group that filled it. */
const TWO_SEGMENTS_BYTES = 6 << 20;

/** What does not wait for room, and the difference between what a batch is counted as and what its record takes. */
const LETTERS_BYTES = 200_000;

function nameOf(batch: Batch): string {
  if (batch.source !== 'letters') return `${batch.source}:${Number(batch.position['at'])}`;
  const text = batch.rows[0]!.bytes.toString('latin1');
  return /"message":"(letters:\d+):/.exec(text)![1]!;
}

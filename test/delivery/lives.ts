import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import {
  cursorPath,
  leastOf,
  openCursor,
  readCursors,
  type CursorStore,
  type LaneCursor,
} from '../../src/delivery/cursor.ts';
import { Lane, type LaneOptions, type LaneState } from '../../src/delivery/lane.ts';
import { Ledger, NO_TOTALS, type LaneTotals } from '../../src/delivery/ledger.ts';
import type { Part, Sink } from '../../src/sinks/sink.ts';
import { Slabs } from '../../src/slabs.ts';
import { DiskSpool, type DiskSpoolOptions } from '../../src/spool/disk.ts';
import { diskFs } from '../../src/spool/files.ts';
import { decodeHeader, HEADER_BYTES } from '../../src/spool/format.ts';
import { between, rowsOf } from '../../src/spool/mark.ts';
import { decodePayload } from '../../src/spool/payload.ts';
import type { Clock } from '../../src/clock.ts';
import { HastyClock, settled } from '../support/fake-clock.ts';
import { Fuse, mortalFs } from '../support/mortal.ts';
import { batchOf, gap, never } from './scripted.ts';

const ALL = { max_rows: 1e9, max_bytes: 1e9, linger_ms: 0 };

/** A record as a source gives it: the names of its steps and of its logs. */
export interface Given {
  readonly steps: readonly string[];
  readonly logs: readonly string[];
}

export interface Letter {
  readonly reason: string;
  readonly row?: string;
  readonly detail: string;
}

/** A state directory, and processes that live on it one after the other. */
export class World {
  readonly directory: string;
  /** What was said to an operator. */
  readonly said: string[] = [];

  constructor(directory: string) {
    this.directory = directory;
  }

  static async run(work: (world: World) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'steptap-lane-'));
    try {
      await work(new World(directory));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Loses a lane's cursor. */
  async forget(lane: string): Promise<void> {
    await rm(cursorPath(this.directory, lane), { force: true });
  }

  /** Damages a record in its file, in its header or behind it. Gives the rows that it had. */
  async damage(seq: number, where: 'header' | 'payload' = 'payload'): Promise<{ id: string; step: string }[]> {
    for (const name of await readdir(this.directory)) {
      if (!name.endsWith('.seg')) continue;
      const path = join(this.directory, name);
      const bytes = await readFile(path);
      let at = 0;
      for (let header = decodeHeader(bytes, at); header !== undefined; header = decodeHeader(bytes, at)) {
        const end = at + HEADER_BYTES + header.length;
        if (header.kind === 'batch' && header.seq === seq) {
          const rows = rowsOfPayload(Buffer.from(bytes.subarray(at + HEADER_BYTES, end)), `${header.src}-${seq}`);
          bytes[where === 'header' ? at + 20 : end - (header.length >> 1)]! ^= 1;
          await writeFile(path, bytes);
          return rows;
        }
        at = end;
      }
    }
    throw new Error(`there is no record ${seq}`);
  }

  async begin(
    fuse = new Fuse(),
    options: Partial<DiskSpoolOptions> & { clock?: Clock } = {},
  ): Promise<Life | undefined> {
    const life = new Life(this, fuse, options);
    await Promise.race([life.open(), fuse.died]);
    if (!fuse.dead) return life;
    await fuse.over();
    return undefined;
  }

  /** Every dead letter that is in the spool. */
  async letters(): Promise<Letter[]> {
    const life = (await this.begin())!;
    const records = [];
    life.spool.end();
    for (const reader = life.spool.reader('audit'); ;) {
      const taken = await reader.take(ALL, never);
      if (taken.length === 0) break;
      records.push(...taken);
    }
    const rows = records.flatMap(({ batch }) => batch.rows).filter(({ table }) => table === 'rejections');
    const lines = rows.flatMap(({ bytes }) => bytes.toString('utf8').trimEnd().split('\n'));
    await life.stop();
    return lines.map((line) => JSON.parse(line) as Letter);
  }
}

function rowsOfPayload(payload: Buffer, record: string): { id: string; step: string }[] {
  let row = 0;
  return decodePayload(payload).rows.flatMap(({ bytes, ends }) =>
    Array.from(ends, (end, n) => {
      const text = bytes.toString('utf8', n === 0 ? 0 : ends[n - 1], end);
      return { id: `${record}-${row++}`, step: (JSON.parse(text) as { step: string }).step };
    }),
  );
}

export interface Living {
  readonly life: Life;
  readonly lane: Lane;
  readonly totals: () => LaneTotals;
  readonly states: LaneState[];
  readonly counts: { duplicated: number; unconfirmed: number };
  /** The newest cursor of which the lane knows that it is written. */
  readonly written: () => LaneCursor | undefined;
}

/** One process. */
export class Life {
  readonly world: World;
  readonly fuse: Fuse;
  readonly clock: Clock;
  readonly lanes: Living[] = [];
  readonly abort = new AbortController();
  spool!: DiskSpool;
  /** Number of the source's newest record. */
  newest = 0;
  readonly #ledger = new Ledger(new Registry());
  readonly #options: Partial<DiskSpoolOptions>;

  constructor(world: World, fuse: Fuse, options: Partial<DiskSpoolOptions> & { clock?: Clock }) {
    this.world = world;
    this.fuse = fuse;
    this.clock = options.clock ?? new HastyClock();
    this.#options = options;
  }

  async open(): Promise<void> {
    this.spool = await DiskSpool.open({
      directory: this.world.directory,
      clock: this.clock,
      fs: mortalFs(this.fuse),
      log: (_severity, message) => this.world.said.push(message),
      sync: 'group',
      max_bytes: 1 << 30,
      memory_bytes: 1 << 20,
      slabs: new Slabs(),
      least: leastOf((await readCursors(diskFs, this.world.directory)).values()),
      appended: (record) => this.#ledger.accept(record),
      ...this.#options,
    });
  }

  /** A lane on the spool; undefined when the process dies over it. */
  async lane(sink: Sink, options: Partial<LaneOptions> & { store?: CursorStore } = {}): Promise<Living | undefined> {
    const opening = openCursor(mortalFs(this.fuse), this.world.directory, sink.name, (_severity, message) => {
      this.world.said.push(message);
    });
    const store = options.store ?? (await Promise.race([opening, this.fuse.died]));
    if (store === undefined) return undefined;
    let written = store.found;
    const cursor: CursorStore = {
      found: store.found,
      async save(now, sync, kept) {
        await store.save(now, sync, kept);
        written = now;
      },
      close: () => store.close(),
    };
    const { found } = store;
    const accepted = found === undefined ? 0 : rowsOf(between(found.base, this.spool.mark), sink.tables);
    const ledger = this.#ledger.lane(sink.name, sink.tables, { ...(found?.totals ?? NO_TOTALS), accepted });
    const states: LaneState[] = [];
    const counts = { duplicated: 0, unconfirmed: 0 };
    const lane = new Lane({
      sink: {
        name: sink.name,
        tables: sink.tables,
        open: (signal) => sink.open(signal),
        async send(part, signal) {
          lawful(part, written);
          return sink.send(part, signal);
        },
        ...(sink.find === undefined ? {} : { find: (part: Part, signal: AbortSignal) => sink.find!(part, signal) }),
        describe: () => sink.describe(),
        close: () => sink.close(),
      },
      spool: this.spool,
      clock: this.clock,
      ledger: {
        ...ledger,
        duplicated: (rows) => (counts.duplicated += rows),
        unconfirmed: (rows) => (counts.unconfirmed += rows),
      },
      cursor,
      backoff: { base_ms: 8, cap_ms: 64, random: () => 0.5 },
      limits: { max_rows: 8, max_bytes: 8 << 20, linger_ms: 0 },
      changed: (state) => states.push(state),
      log: (message) => this.world.said.push(message),
      ...options,
    });
    const totals = (): LaneTotals => ({ ...ledger.totals() });
    const living: Living = { life: this, lane, totals, states, counts, written: () => written };
    this.lanes.push(living);
    closes([living]);
    return living;
  }

  /** What a source gives that goes on where the spool says it was; then it has ended. */
  async feed(given: readonly Given[], batch = batchOf): Promise<void> {
    const next = (): number => Number(this.spool.positions.get('test')?.['next'] ?? 0);
    const appends: Promise<unknown>[] = [];
    for (const [n, { steps, logs }] of given.entries()) {
      if (n < next()) continue;
      await settled();
      const appended = this.spool.append({ ...batch(steps, logs), position: { next: n + 1 } }).then(({ seq }) => {
        this.newest = seq;
      });
      // As a source does that has two batches under way.
      if (appends.push(appended) % 2 === 0) await appended;
    }
    await Promise.all(appends);
    this.spool.end();
  }

  /** Lives until its lanes are done, or it is killed; true when it is. Whatever happens, the ledger closes. */
  async live(given: readonly Given[], batch = batchOf): Promise<boolean> {
    const { abort, fuse, lanes, spool } = this;
    const life = async (): Promise<void> => {
      await Promise.all([this.feed(given, batch), ...lanes.map(({ lane }) => lane.run(abort.signal))]);
      await spool.close();
      await spool.dispose();
    };
    fuse.stop = () => abort.abort();
    await Promise.race([life(), fuse.died]);
    const killed = fuse.dead;
    await fuse.over();
    closes(lanes);
    return killed;
  }

  /** An orderly end. */
  async stop(): Promise<void> {
    this.abort.abort();
    await this.spool.close();
    await this.spool.dispose();
    await this.fuse.over();
  }
}

/** For every sink: accepted = stored + dead-lettered + lost + dropped + pending. */
export function closes(lanes: readonly Living[]): void {
  expect(lanes.map((each) => gap(each))).toEqual(lanes.map(() => 0));
}

/** Nothing is sent that the cursor does not know. */
function lawful({ table, token, count }: Part, written: LaneCursor | undefined): void {
  const { block } = written ?? {};
  const repairs = Number(/r(\d+)$/.exec(token)?.[1] ?? 0);
  const known = block?.parts.some(
    (part) =>
      part.table === table && part.count === count && (part.repairs ?? 0) >= repairs && covers(token, part, block),
  );
  expect({ token, table, known }).toEqual({ token, table, known: true });
}

function covers(
  token: string,
  part: { first: number; count: number; of: number },
  block: { from: number; to: number },
): boolean {
  const range = part.count === part.of ? '' : `/${part.first}-${part.first + part.count - 1}`;
  return token.replace(/r\d+$/, '').endsWith(`-${block.from}-${block.to}${range}`);
}

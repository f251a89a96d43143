import { setImmediate } from 'node:timers/promises';
import type { Rows } from '../batch.ts';
import type { Clock } from '../clock.ts';
import type { Expression } from '../expression/index.ts';
import { rowFields } from '../expression/row.ts';
import { EVENT_TABLES, type EventTable } from '../fields.ts';
import type { SpoolRecord } from '../spool/spool.ts';
import { Subscription } from './subscription.ts';

/** What a reader wants to see. */
export interface Wanted {
  readonly tables: ReadonlySet<EventTable>;
  readonly filter?: Expression | undefined;
}

/** A record of the spool: the last one before what a reader gets. */
export interface Place {
  readonly src: string;
  readonly seq: number;
}

export const MOST_READERS = 16;
/** Rows that are looked at before others have a turn, and no more when so much time has passed: what a filter does with a row is its reader's choice. */
const TURN_ROWS = 500;
const TURN_MS = 10;
/** The pause behind them, or twice what they took: a fast run is not slowed down by who watches it. */
const PAUSE_MS = 10;
/** Rows that wait to be looked at, in bytes. */
const MOST_WAITING = 8 << 20;

interface Waiting {
  readonly place: Place;
  readonly day: string;
  readonly table: EventTable;
  readonly base: number;
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  /** The first row that was not looked at yet. */
  next: number;
}

/**
 * The rows of a run as they are committed, for whoever watches. Without a reader a record costs one comparison. With some its rows are copied, since their memory is used
 * again, and are looked at between other work, as many as that leaves time for: a run never waits for its readers, and who misses events is told how many.
 */
export class Feed {
  readonly #clock: Clock;
  readonly #last: () => Place;
  readonly #readers = new Map<Subscription, Wanted & { readonly after: Place }>();
  #waiting: Waiting[] = [];
  #bytes = 0;
  #looking: Promise<void> | undefined;

  /** `last`: the last record that is committed. */
  constructor(clock: Clock, last: () => Place) {
    this.#clock = clock;
    this.#last = last;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Undefined when there are readers enough. `after`: it gets what is committed behind that record. */
  subscribe(wanted: Wanted): { readonly subscription: Subscription; readonly after: Place } | undefined {
    if (this.#readers.size >= MOST_READERS) return undefined;
    const subscription = new Subscription(this.#clock, (closed) => {
      this.#readers.delete(closed);
      if (this.#readers.size > 0) return;
      this.#waiting = [];
      this.#bytes = 0;
    });
    const after = this.#last();
    this.#readers.set(subscription, { ...wanted, after });
    return { subscription, after };
  }

  record(record: SpoolRecord): void {
    if (this.#readers.size === 0) return;
    record.batch.rows.forEach((rows, n) => {
      const table = EVENT_TABLES.find((each) => each === rows.table);
      if (table !== undefined) this.#keep(record, table, rows, record.bases[n]!);
    });
    if (this.#waiting.length > 0) this.#looking ??= this.#look();
  }

  /** Resolves when everything that was committed by now was looked at. */
  async settled(): Promise<void> {
    await this.#looking;
  }

  #keep({ src, seq, day }: SpoolRecord, table: EventTable, { bytes, ends }: Rows, base: number): void {
    if (this.#bytes + bytes.length > MOST_WAITING) {
      for (const [subscription, { tables }] of this.#readers) if (tables.has(table)) subscription.miss(ends.length);
      return;
    }
    this.#bytes += bytes.length;
    const copy = { bytes: Buffer.from(bytes), ends: ends.slice() };
    this.#waiting.push({ place: { src, seq }, day, table, base, ...copy, next: 0 });
  }

  async #look(): Promise<void> {
    const never = new AbortController().signal;
    await setImmediate();
    while (this.#waiting.length > 0) {
      const took = this.#turn();
      if (this.#waiting.length > 0) await this.#clock.sleep(Math.max(PAUSE_MS, 2 * took), never);
    }
    this.#looking = undefined;
  }

  /** Gives how long it took. */
  #turn(): number {
    const begun = this.#clock.monotonic();
    let took = 0;
    for (let rows = 0; rows < TURN_ROWS && took < TURN_MS; rows++) {
      const first = this.#waiting[0];
      if (first === undefined) break;
      this.#show(first, first.next++);
      if (first.next === first.ends.length) {
        this.#waiting.shift();
        this.#bytes -= first.bytes.length;
      }
      took = this.#clock.monotonic() - begun;
    }
    return took;
  }

  #show({ place: { src, seq }, day, table, base, bytes, ends }: Waiting, row: number): void {
    // Who has come since it was committed begins behind it.
    const readers = [...this.#readers].filter(([, { tables, after }]) => tables.has(table) && seq > after.seq);
    for (const [subscription] of readers) if (subscription.missing) subscription.miss(1);
    const taking = readers.filter(([subscription]) => !subscription.missing);
    if (taking.length === 0) return;
    const own = bytes.toString('utf8', row === 0 ? 0 : ends[row - 1]!, ends[row]! - 1);
    const i = base + row;
    const identity = { _src: src, _seq: seq, _i: i, _day: day };
    const fields: Record<string, unknown> = { ...(JSON.parse(own) as Record<string, unknown>), ...identity };
    const get = rowFields(fields);
    const kind = typeof fields['kind'] === 'string' ? fields['kind'] : table;
    const event = {
      table,
      id: `${src}-${seq}-${i}`,
      kind,
      row: `${own.slice(0, -1)},${JSON.stringify(identity).slice(1)}`,
    };
    for (const [subscription, { filter }] of taking) if (filter?.matches(get) !== false) subscription.offer(event);
  }
}

import { createHash } from 'node:crypto';
import type { Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { BACKOFF } from '../delivery/backoff.ts';
import { buriedRows } from '../delivery/bury.ts';
import { Delivery } from '../delivery/delivery.ts';
import { NO_TOTALS, type LaneLedger } from '../delivery/ledger.ts';
import { NO_DOUBT, partOf, type LanePart } from '../delivery/part.ts';
import { rowIdText } from '../row-id.ts';
import type { Sink, Slice } from '../sinks/sink.ts';
import { NOTHING } from '../spool/mark.ts';
import type { Returning } from './returning.ts';
import type { ReplayedFile } from './replayed.ts';

export interface ReplayResult {
  readonly stored: number;
  /** Rows that the sink still refuses, by its code. */
  readonly refused: ReadonlyMap<string, number>;
  /** What the sink said, when it took no more. */
  readonly stopped: string | undefined;
}

const MOST_ROWS = 10_000;
const MOST_BYTES = 8 << 20;
/** Tries of one part, after which somebody should look first. */
const MOST_TRIES = 8;

/**
 * Stores rows of dead letters under the identity that they always had. Each part is looked for in the sink before it is sent, and written down as replayed when it is
 * settled: a replay that is interrupted, or repeated, stores nothing twice.
 */
export async function replay(
  rows: readonly Returning[],
  sink: Sink,
  done: ReplayedFile,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReplayResult> {
  const refused = new Map<string, number>();
  let stored = 0;
  for (const group of groups(rows)) {
    const course = new Course(sink, clock);
    const stopped = await course.run(partAgain(group), signal);
    for (const [code, count] of course.refused) refused.set(code, (refused.get(code) ?? 0) + count);
    if (stopped !== undefined) return { stored, refused, stopped };
    const back = group.filter((row) => !course.ids.has(rowIdText(row)));
    const at = new Date(clock.wall()).toISOString();
    await done.add(
      back.map(({ letter, table, day, src, seq, i }) => ({ letter, sink: sink.name, table, day, src, seq, i, at })),
    );
    stored += back.length;
  }
  return { stored, refused, stopped: undefined };
}

/** One part on its way, without a spool: what is refused again stays the dead letter that it is. */
class Course {
  readonly refused = new Map<string, number>();
  /** Ids of the rows that were refused. */
  readonly ids = new Set<string>();
  readonly #sink: Sink;
  readonly #clock: Clock;

  constructor(sink: Sink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Undefined when every row is stored or refused, else why not. */
  async run(part: LanePart, signal: AbortSignal): Promise<string | undefined> {
    const halt = new AbortController();
    const stop = (): void => halt.abort('over');
    signal.addEventListener('abort', stop, { once: true });
    let reason = 'interrupted';
    let tries = 0;
    const delivery = new Delivery(
      { from: 0, to: 0, head: 0, end: NOTHING, parts: [part] },
      {
        sink: this.#sink,
        clock: this.#clock,
        ledger: this.#ledger(),
        backoff: BACKOFF,
        log: () => {},
        save: async () => true,
        append: async (letters) => this.#refuse(letters),
        become: ({ state, reason: why = '' }) => {
          if (state === 'retrying' || state === 'holding') reason = why;
        },
        rest: async (_code, ms) => {
          if (++tries >= MOST_TRIES) stop();
          await this.#clock.sleep(ms, halt.signal);
        },
        hold: async () => stop(),
        given_up: () => false,
        done: () => {},
      },
    );
    const settled = await delivery.settle(halt.signal);
    signal.removeEventListener('abort', stop);
    return settled ? undefined : reason;
  }

  #refuse(letters: Batch): boolean {
    for (const id of buriedRows(letters)) this.ids.add(id);
    return true;
  }

  #ledger(): LaneLedger {
    const nothing = (): void => {};
    return {
      accepted: nothing,
      stored: nothing,
      deadLettered: (rows, code) => void this.refused.set(code, (this.refused.get(code) ?? 0) + rows),
      lost: nothing,
      dropped: nothing,
      duplicated: nothing,
      unconfirmed: nothing,
      retried: nothing,
      split: nothing,
      totals: () => NO_TOTALS,
    };
  }
}

/** Rows of one table, day and epoch, in order, no more than a block. */
function* groups(rows: readonly Returning[]): Iterable<Returning[]> {
  const by = new Map<string, Returning[]>();
  for (const row of rows) {
    const key = `${row.table} ${row.day} ${row.src}`;
    const list = by.get(key);
    if (list === undefined) by.set(key, [row]);
    else list.push(row);
  }
  for (const list of by.values()) {
    list.sort((a, b) => a.seq - b.seq || a.i - b.i);
    let group: Returning[] = [];
    let bytes = 0;
    for (const row of list) {
      if (group.length > 0 && (group.length >= MOST_ROWS || bytes + row.rows.bytes.length > MOST_BYTES)) {
        yield group;
        group = [];
        bytes = 0;
      }
      group.push(row);
      bytes += row.rows.bytes.length;
    }
    if (group.length > 0) yield group;
  }
}

/** A part that is in doubt from the start. Its token is of its rows: the same ones have the same, and a run's own tokens are others. */
function partAgain(group: readonly Returning[]): LanePart {
  const { table, day, src } = group[0]!;
  const slices = group.map(({ seq, i, rows }): Slice => {
    const batch: Batch = { source: 'dead-letters', position: {}, lines: 0, rows: [rows] };
    const record = { src, seq, day, committed_at: 0, batch, bases: [i], before: NOTHING, size: NOTHING };
    return { record, rows, base: i, from: 0, to: 1 };
  });
  const ids = group.map(({ seq, i }) => `${seq}-${i}`).join(' ');
  const whole = `r${src}-${createHash('sha256').update(ids).digest('hex').slice(0, 16)}`;
  return partOf({ table, whole, of: group.length, in_doubt: true }, 0, slices, NO_DOUBT);
}

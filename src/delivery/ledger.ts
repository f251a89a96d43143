import { Counter, Gauge, type Registry } from '../prom-client.ts';
import type { Table } from '../batch.ts';
import { rowsOf } from '../spool/mark.ts';
import type { SpoolRecord } from '../spool/spool.ts';

/** What one lane counts. Each figure is counted where it happens, none is derived from another. */
export interface LaneLedger {
  /** Rows that were in the spool before the lane was made. */
  accepted(rows: number): void;
  stored(rows: number): void;
  deadLettered(rows: number, code: string): void;
  /** Rows of records that can be read no more. */
  lost(rows: number): void;
  /** Rows that were given up because the spool was full, as its options say. */
  dropped(rows: number): void;
  /** Rows that the sink has more than once. */
  duplicated(rows: number): void;
  /** Rows that the sink has taken and does not show. */
  unconfirmed(rows: number): void;
  retried(code: string): void;
  split(): void;
  totals(): LaneTotals;
}

export interface LaneTotals {
  accepted: number;
  stored: number;
  dead_lettered: number;
  lost: number;
  dropped: number;
}

export const NO_TOTALS: LaneTotals = { accepted: 0, stored: 0, dead_lettered: 0, lost: 0, dropped: 0 };

/** What is asked of a lane. */
export interface Watched {
  pending(): number;
  /** Bytes of records. */
  pendingBytes(): number;
  oldestPending(): number;
  readonly state: { readonly state: string };
}

/** The counters of every edge between the source and the sinks: for every sink, accepted = stored + dead-lettered + lost + dropped + pending. */
export class Ledger {
  readonly #lanes = new Map<string, { tables: ReadonlySet<Table>; totals: LaneTotals }>();
  readonly #accepted: Counter;
  readonly #stored: Counter;
  readonly #deadLettered: Counter;
  readonly #retries: Counter;
  readonly #splits: Counter;
  readonly #lost: Counter;
  readonly #dropped: Counter;
  readonly #duplicated: Counter;
  readonly #unconfirmed: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string, ...labelNames: string[]): Counter =>
      new Counter({ name, help, labelNames, registers });
    this.#accepted = counter('steptap_sink_accepted_rows_total', 'Rows committed to the spool for this sink', 'sink');
    this.#stored = counter('steptap_sink_stored_rows_total', 'Rows that the sink has stored', 'sink');
    this.#deadLettered = counter(
      'steptap_sink_dead_letter_rows_total',
      'Rows that the sink refused for good',
      'sink',
      'code',
    );
    this.#retries = counter(
      'steptap_sink_retries_total',
      'Sends that have to be tried again, by the code they failed with',
      'sink',
      'code',
    );
    this.#splits = counter('steptap_sink_splits_total', 'Parts that were halved to isolate a row', 'sink');
    this.#lost = counter('steptap_sink_lost_rows_total', 'Rows in damaged records of the spool', 'sink');
    this.#dropped = counter(
      'steptap_sink_dropped_rows_total',
      'Rows given up because the spool was full and its options allow it',
      'sink',
    );
    this.#duplicated = counter(
      'steptap_sink_duplicate_rows_total',
      'Rows that the sink was found to have twice',
      'sink',
    );
    this.#unconfirmed = counter(
      'steptap_sink_unconfirmed_rows_total',
      'Rows that the sink took, also when they were sent again, and does not show: does it remove them?',
      'sink',
    );
    const gauge = (name: string, help: string, set: (gauge: Gauge) => void, ...labelNames: string[]): Gauge =>
      new Gauge({
        name,
        help,
        labelNames: ['sink', ...labelNames],
        registers,
        collect() {
          this.reset();
          set(this);
        },
      });
    gauge('steptap_sink_pending_rows', 'Rows accepted and not yet settled', (to) => {
      for (const [sink, lane] of this.#watched) to.set({ sink }, lane.pending());
    });
    gauge('steptap_sink_pending_bytes', 'Bytes of records in the spool that are not settled', (to) => {
      for (const [sink, lane] of this.#watched) to.set({ sink }, lane.pendingBytes());
    });
    gauge('steptap_sink_oldest_pending_seconds', 'Age of the oldest record that is not settled', (to) => {
      for (const [sink, lane] of this.#watched) to.set({ sink }, lane.oldestPending());
    });
    gauge(
      'steptap_sink_state',
      '1 for the state that the sink is in',
      (to) => {
        for (const [sink, lane] of this.#watched) to.set({ sink, state: lane.state.state }, 1);
      },
      'state',
    );
  }

  readonly #watched = new Map<string, Watched>();
  /** What the counters have, by sink: of lanes that are gone too. */
  readonly #counted = new Map<string, LaneTotals>();

  /**
   * Registers a lane before the first append, with what it has come to in earlier processes; or one that takes the place of another of that name, with
   * what that had come to.
   */
  lane(sink: string, tables: ReadonlySet<Table>, before: LaneTotals = NO_TOTALS): LaneLedger {
    const totals = { ...before };
    const counted = this.#counted.get(sink) ?? { ...NO_TOTALS };
    this.#counted.set(sink, counted);
    this.#lanes.set(sink, { tables, totals });
    // Counters never go back: what they have and the totals have not is counted once, when the totals come as far.
    const count = (edge: keyof LaneTotals): number => {
      const more = Math.max(0, totals[edge] - counted[edge]);
      counted[edge] += more;
      return more;
    };
    this.#accepted.inc({ sink }, count('accepted'));
    this.#stored.inc({ sink }, count('stored'));
    this.#lost.inc({ sink }, count('lost'));
    this.#dropped.inc({ sink }, count('dropped'));
    this.#duplicated.inc({ sink }, 0);
    this.#unconfirmed.inc({ sink }, 0);
    const letters = count('dead_lettered');
    if (letters > 0) this.#deadLettered.inc({ sink, code: 'earlier' }, letters);
    const add = (edge: keyof LaneTotals, rows: number): number => {
      totals[edge] += rows;
      return count(edge);
    };
    return {
      accepted: (rows) => this.#accepted.inc({ sink }, add('accepted', rows)),
      stored: (rows) => this.#stored.inc({ sink }, add('stored', rows)),
      deadLettered: (rows, code) => {
        const more = add('dead_lettered', rows);
        if (more > 0) this.#deadLettered.inc({ sink, code }, more);
      },
      lost: (rows) => this.#lost.inc({ sink }, add('lost', rows)),
      dropped: (rows) => this.#dropped.inc({ sink }, add('dropped', rows)),
      duplicated: (rows) => this.#duplicated.inc({ sink }, rows),
      unconfirmed: (rows) => this.#unconfirmed.inc({ sink }, rows),
      retried: (code) => this.#retries.inc({ sink, code }),
      split: () => this.#splits.inc({ sink }),
      totals: () => totals,
    };
  }

  totals(sink: string): Readonly<LaneTotals> {
    return this.#lanes.get(sink)?.totals ?? NO_TOTALS;
  }

  /** What a lane says of itself is asked when somebody looks. */
  watch(sink: string, lane: Watched): void {
    this.#watched.set(sink, lane);
  }

  /** The pipeline sends nothing to that sink any more. Its counters stay. */
  leave(sink: string): void {
    this.#lanes.delete(sink);
    this.#watched.delete(sink);
  }

  /** Counts a committed record for every lane that takes its rows. */
  accept(record: SpoolRecord): void {
    for (const [sink, { tables, totals }] of this.#lanes) {
      const rows = rowsOf(record.size, tables);
      if (rows === 0) continue;
      totals.accepted += rows;
      const counted = this.#counted.get(sink)!;
      const more = Math.max(0, totals.accepted - counted.accepted);
      counted.accepted += more;
      this.#accepted.inc({ sink }, more);
    }
  }
}

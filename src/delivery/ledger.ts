import { Counter, Gauge, type Registry } from 'prom-client';
import type { Table } from '../batch.ts';
import type { SpoolRecord } from '../spool/spool.ts';

/** What one lane counts. Each figure is counted where it happens, none is derived from another. */
export interface LaneLedger {
  stored(rows: number): void;
  deadLettered(rows: number, code: string): void;
  retried(code: string): void;
  split(): void;
  totals(): LaneTotals;
}

export interface LaneTotals {
  accepted: number;
  stored: number;
  dead_lettered: number;
}

/** What is asked of a lane. */
export interface Watched {
  pending(): number;
  oldestPending(): number;
  readonly state: { readonly state: string };
}

/** The counters of every edge between the source and the sinks: for every sink, accepted = stored + dead-lettered + pending. */
export class Ledger {
  readonly #lanes = new Map<string, { tables: ReadonlySet<Table>; totals: LaneTotals }>();
  readonly #accepted: Counter;
  readonly #stored: Counter;
  readonly #deadLettered: Counter;
  readonly #retries: Counter;
  readonly #splits: Counter;

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
    const gauge = (name: string, help: string, set: (gauge: Gauge) => void, ...labelNames: string[]): Gauge =>
      new Gauge({
        name,
        help,
        labelNames: ['sink', ...labelNames],
        registers,
        collect() {
          set(this);
        },
      });
    gauge('steptap_sink_pending_rows', 'Rows accepted and not yet settled', (to) => {
      for (const [sink, lane] of this.#watched) to.set({ sink }, lane.pending());
    });
    gauge('steptap_sink_oldest_pending_seconds', 'Age of the oldest record that is not settled', (to) => {
      for (const [sink, lane] of this.#watched) to.set({ sink }, lane.oldestPending());
    });
    gauge(
      'steptap_sink_state',
      '1 for the state that the sink is in',
      (to) => {
        to.reset();
        for (const [sink, lane] of this.#watched) to.set({ sink, state: lane.state.state }, 1);
      },
      'state',
    );
  }

  readonly #watched = new Map<string, Watched>();

  /** Registers a lane before the first append. */
  lane(sink: string, tables: ReadonlySet<Table>): LaneLedger {
    const totals: LaneTotals = { accepted: 0, stored: 0, dead_lettered: 0 };
    this.#lanes.set(sink, { tables, totals });
    this.#accepted.inc({ sink }, 0);
    this.#stored.inc({ sink }, 0);
    return {
      stored: (rows) => {
        totals.stored += rows;
        this.#stored.inc({ sink }, rows);
      },
      deadLettered: (rows, code) => {
        totals.dead_lettered += rows;
        this.#deadLettered.inc({ sink, code }, rows);
      },
      retried: (code) => this.#retries.inc({ sink, code }),
      split: () => this.#splits.inc({ sink }),
      totals: () => totals,
    };
  }

  totals(sink: string): Readonly<LaneTotals> {
    return this.#lanes.get(sink)?.totals ?? { accepted: 0, stored: 0, dead_lettered: 0 };
  }

  /** What a lane says of itself is asked when somebody looks. */
  watch(sink: string, lane: Watched): void {
    this.#watched.set(sink, lane);
  }

  /** Counts a committed record for every lane that takes its rows. */
  accept(record: SpoolRecord): void {
    for (const [sink, { tables, totals }] of this.#lanes) {
      let rows = 0;
      for (const table of record.batch.rows) if (tables.has(table.table)) rows += table.ends.length;
      if (rows === 0) continue;
      totals.accepted += rows;
      this.#accepted.inc({ sink }, rows);
    }
  }
}

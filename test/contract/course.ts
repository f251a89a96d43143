import { Registry } from 'prom-client';
import type { Table } from '../../src/batch.ts';
import { systemClock } from '../../src/clock.ts';
import { BLOCK_LIMITS, Lane, type LaneState } from '../../src/delivery/lane.ts';
import { Ledger, type LaneLedger } from '../../src/delivery/ledger.ts';
import type { Part, Sink } from '../../src/sinks/sink.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import type { SpoolReader } from '../../src/spool/spool.ts';
import { HastyClock } from '../support/fake-clock.ts';
import { rowsOf, type RowObject } from '../support/rows.ts';

export const HOLD_MS = 30_000;

const ALL = { max_rows: 1e9, max_bytes: 1e9, linger_ms: 0 };

export interface DeadLetterRow {
  readonly reason: string;
  readonly sink: string;
  readonly code: string;
  readonly detail: string;
  readonly table: string;
  readonly row: string;
  readonly raw: string;
}

/** A sink on its lane over the spool, as in a run; all pauses take no time and are written down. */
export class Course {
  readonly clock = new HastyClock();
  readonly spool: MemorySpool;
  readonly lane: Lane;
  readonly counted: LaneLedger;
  /** Codes of the failures after which the lane paused. */
  readonly codes: string[] = [];
  /** As the lane announced them. */
  readonly states: LaneState[] = [];
  /** Whatever was said to a person. */
  readonly said: string[] = [];
  /** What was sent, each time. */
  readonly sent: Part[] = [];
  readonly #sink: Sink;
  readonly #abort = new AbortController();
  readonly #burying: SpoolReader;
  #running: Promise<void> | undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
    const ledger = new Ledger(new Registry());
    this.spool = new MemorySpool({
      clock: this.clock,
      max_bytes: 1 << 26,
      appended: (record) => ledger.accept(record),
    });
    const counted = ledger.lane(sink.name, sink.tables);
    this.counted = {
      ...counted,
      retried: (code) => {
        this.codes.push(code);
        const { reason } = this.lane.state;
        if (reason !== undefined) this.said.push(reason);
        counted.retried(code);
      },
    };
    this.lane = new Lane({
      sink: {
        name: sink.name,
        tables: sink.tables,
        open: (signal) => sink.open(signal),
        send: (part, signal) => {
          this.sent.push(part);
          return sink.send(part, signal);
        },
        ...(sink.replaces === undefined ? {} : { replaces: sink.replaces }),
        ...(sink.find === undefined ? {} : { find: (part: Part, signal: AbortSignal) => sink.find!(part, signal) }),
        describe: () => sink.describe(),
        close: () => sink.close(),
      },
      spool: this.spool,
      clock: this.clock,
      ledger: this.counted,
      backoff: { base_ms: 8, cap_ms: 64, random: () => 0.5 },
      limits: { ...BLOCK_LIMITS, linger_ms: 0 },
      hold_ms: HOLD_MS,
      changed: (state) => this.states.push(state),
    });
    this.#burying = this.spool.reader('dead-letters', { until: 'lanes' });
  }

  /** One record with these rows. */
  async give(rows: Partial<Record<Table, readonly RowObject[]>>): Promise<void> {
    const tables = Object.entries(rows).map(([table, list]) => rowsOf(table as Table, list));
    await this.spool.append({ source: 'test', position: {}, lines: 1, rows: tables });
  }

  begin(): void {
    this.#running = this.lane.run(this.#abort.signal);
  }

  /** The lane has failed so often, and stands in its pauses. */
  async failed(times: number): Promise<void> {
    const enough = this.codes.length + times;
    const deadline = performance.now() + 10_000;
    while (this.codes.length < enough) {
      if (this.lane.pending() === 0) throw new Error('everything is settled, and nothing fails any more');
      if (performance.now() > deadline)
        throw new Error(`the lane failed ${this.codes.length} times: ${this.codes.join()}`);
      await systemClock.sleep(1, this.#abort.signal);
    }
  }

  /** The input has ended: resolves when everything is settled. */
  async finish(): Promise<void> {
    this.spool.end();
    if (this.#running === undefined) this.begin();
    await this.#running;
  }

  async abort(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Rows that stand in the spool because the sink refused them. Ends the spool. */
  async deadLetters(): Promise<DeadLetterRow[]> {
    await this.spool.close();
    const letters: DeadLetterRow[] = [];
    for (;;) {
      const records = await this.#burying.take(ALL, new AbortController().signal);
      if (records.length === 0) return letters;
      for (const rows of records.flatMap(({ batch }) => batch.rows)) {
        if (rows.table !== 'rejections') continue;
        for (const line of rows.bytes.toString('utf8').trimEnd().split('\n')) letters.push(JSON.parse(line));
      }
    }
  }

  /** Closes the sink at the end of a case. */
  async stop(): Promise<void> {
    await this.abort();
    await this.#sink.close();
  }
}

/** Runs a test on a course of its own, and takes course and bench down whatever happens. */
export async function onCourse<B extends { readonly sink: Sink; stop(): Promise<void> }>(
  start: () => Promise<B>,
  run: (bench: B, course: Course) => Promise<void>,
): Promise<void> {
  const bench = await start();
  const course = new Course(bench.sink);
  try {
    await run(bench, course);
  } finally {
    await course.stop();
    await bench.stop();
  }
}

import { Registry } from 'prom-client';
import type { Batch, Table } from '../../src/batch.ts';
import type { Clock } from '../../src/clock.ts';
import { Lane, type LaneOptions, type LaneState } from '../../src/delivery/lane.ts';
import { Ledger, type LaneLedger, type LaneTotals } from '../../src/delivery/ledger.ts';
import { SinkError, STORED, type FailureClass, type Outcome, type Part, type Sink } from '../../src/sinks/sink.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import { HastyClock } from '../support/fake-clock.ts';
import { rowsOf, stepRow } from '../support/rows.ts';

/** What becomes of a send: an outcome, or an error that it ends with. */
export type Verdict = Outcome | Error;

export const retry = (code = 'AGAIN', options: { in_doubt?: boolean; retry_after_ms?: number } = {}): SinkError =>
  new SinkError('retry', code, `said ${code}`, options);
export const hold = (code = 'HELP'): SinkError => new SinkError('hold', code, `said ${code}`);
export const poison = (options: { in_doubt?: boolean } = {}): SinkError =>
  new SinkError('split', '27', 'a row does not fit', options);
export const failed = (failure: FailureClass): SinkError => new SinkError(failure, failure, `said ${failure}`);

/** A sink that does as it is told, and remembers what it was sent. */
export class ScriptedSink implements Sink {
  readonly name: string;
  readonly tables: ReadonlySet<Table>;
  readonly sent: Part[] = [];
  opened = 0;
  /** For each opening in turn; then it opens. */
  openings: Error[] = [];
  /** Called for every send. */
  verdict: (part: Part, signal: AbortSignal) => Verdict | Promise<Verdict>;

  constructor(
    verdict: (part: Part, signal: AbortSignal) => Verdict | Promise<Verdict> = () => STORED,
    name = 'scripted',
    tables: readonly Table[] = ['steps', 'logs'],
  ) {
    this.verdict = verdict;
    this.name = name;
    this.tables = new Set(tables);
  }

  async open(): Promise<void> {
    this.opened += 1;
    const error = this.openings.shift();
    if (error !== undefined) throw error;
  }

  async send(part: Part, signal: AbortSignal): Promise<Outcome> {
    this.sent.push(part);
    const verdict = await this.verdict(part, signal);
    if (verdict instanceof Error) throw verdict;
    return verdict;
  }

  describe(): string {
    return this.name;
  }

  async close(): Promise<void> {}
}

/** In turn, and then whatever `after` is. */
export function inTurn(verdicts: readonly Verdict[], after: Verdict = STORED): () => Verdict {
  const left = [...verdicts];
  return () => left.shift() ?? after;
}

/** The rows of a part, by their field `step`. */
export function stepsOf(part: Part): string[] {
  return part.slices.flatMap(({ rows, from, to }) =>
    Array.from({ length: to - from }, (_, at) => {
      const row = from + at;
      const text = rows.bytes.toString('utf8', row === 0 ? 0 : rows.ends[row - 1], rows.ends[row]);
      return (JSON.parse(text) as { step: string }).step;
    }),
  );
}

export function batchOf(steps: readonly string[], logs: readonly string[] = []): Batch {
  const rows = [
    ...(steps.length === 0
      ? []
      : [
          rowsOf(
            'steps',
            steps.map((step) => stepRow({ step })),
          ),
        ]),
    ...(logs.length === 0
      ? []
      : [
          rowsOf(
            'logs',
            logs.map((step) => stepRow({ step })),
          ),
        ]),
  ];
  return { source: 'test', position: {}, lines: steps.length + logs.length, rows };
}

export interface Rig {
  readonly lane: Lane;
  readonly states: LaneState[];
  readonly totals: () => LaneTotals;
  readonly counts: { splits: number; readonly retried: string[] };
}

/** A spool with lanes on it, and the ledger of both. */
export class Plant {
  readonly clock: Clock;
  readonly spool: MemorySpool;
  readonly #ledger = new Ledger(new Registry());

  constructor(clock: Clock = new HastyClock(), max_bytes = 1 << 26) {
    this.clock = clock;
    this.spool = new MemorySpool({ clock, max_bytes, appended: (record) => this.#ledger.accept(record) });
  }

  lane(sink: Sink, options: Partial<LaneOptions> = {}, told: Partial<LaneLedger> = {}): Rig {
    const ledger = this.#ledger.lane(sink.name, sink.tables);
    const states: LaneState[] = [];
    const counts = { splits: 0, retried: [] as string[] };
    const lane = new Lane({
      sink,
      spool: this.spool,
      clock: this.clock,
      ledger: {
        ...ledger,
        retried: (code) => counts.retried.push(code),
        split: () => (counts.splits += 1),
        ...told,
      },
      backoff: { base_ms: 8, cap_ms: 64, random: () => 0.5 },
      limits: { max_rows: 10_000, max_bytes: 8 << 20, linger_ms: 0 },
      changed: (state) => states.push(state),
      ...options,
    });
    return { lane, states, totals: () => ledger.totals(), counts };
  }
}

/** stored + dead-lettered + lost + dropped + pending - accepted: 0, always. */
export function gap({ lane, totals }: Pick<Rig, 'lane' | 'totals'>): number {
  const { accepted, stored, dead_lettered, lost, dropped } = totals();
  return stored + dead_lettered + lost + dropped + lane.pending() - accepted;
}

export const never: AbortSignal = new AbortController().signal;

import type { Clock } from '../clock.ts';
import type { Counters, ReadTotals } from '../counters.ts';
import type { Lane } from '../delivery/lane.ts';
import type { LaneTotals, Ledger } from '../delivery/ledger.ts';
import type { Spool } from '../spool/spool.ts';
import type { Summary } from '../summary.ts';

/** How one sink stands. */
export interface SinkView {
  readonly name: string;
  readonly state: string;
  /** Why, when it is retrying or holding. */
  readonly reason?: string | undefined;
  /** Rows that wait for it, and the age of the oldest in seconds. */
  readonly pending: number;
  readonly oldest_s: number;
  /** Rows of this run. */
  readonly stored: number;
  readonly refused: number;
  readonly dropped: number;
  readonly lost: number;
}

/** A run as a person may want to see it, in figures: nothing in it is text for a screen. */
export interface View {
  readonly elapsed_s: number;
  readonly read: ReadTotals;
  /** The same a second, lately. */
  readonly rate: ReadTotals;
  /** For how long nothing was read. */
  readonly idle_s: number;
  /** By status. */
  readonly steps: ReadonlyMap<string, number>;
  /** Dead letters of this run, by why. */
  readonly letters: ReadonlyMap<string, number>;
  readonly sinks: readonly SinkView[];
  /** The lane of the dead letters. */
  readonly burying: SinkView;
  readonly spool: ReturnType<Spool['usage']>;
}

export interface Watched {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly summary: Summary;
  readonly ledger: Ledger;
  /** Those that there are when it is called: a pipeline may change. */
  readonly lanes: () => readonly Lane[];
  readonly deadLetters: Lane;
  readonly spool: Spool;
}

/** The time that rates are of. */
const LATELY_MS = 3_000;

interface Sample extends ReadTotals {
  readonly at: number;
}

/** Looks at a run whenever it is called, from now on: all figures exist already, and are only fetched. */
export function watch({ clock, counters, summary, ledger, lanes, deadLetters, spool }: Watched): () => View {
  const start = clock.monotonic();
  /** What a sink had when it was first seen: that of earlier runs. */
  const before = new Map<string, LaneTotals>();
  const samples: Sample[] = [{ at: start, ...counters.read }];
  let moved = start;
  const sinkView = (lane: Lane): SinkView => {
    const { name } = lane.sink;
    const { state, reason } = lane.state;
    const now = ledger.totals(name);
    const then = before.get(name) ?? { ...now };
    before.set(name, then);
    return {
      name,
      state,
      reason,
      pending: lane.pending(),
      oldest_s: lane.oldestPending(),
      stored: now.stored - then.stored,
      refused: now.dead_lettered - then.dead_lettered,
      dropped: now.dropped - then.dropped,
      lost: now.lost - then.lost,
    };
  };
  for (const lane of [...lanes(), deadLetters]) sinkView(lane);
  return () => {
    const now: Sample = { at: clock.monotonic(), ...counters.read };
    if (now.bytes > samples.at(-1)!.bytes) moved = now.at;
    samples.push(now);
    // The last one that is old enough stays: what was read is measured from there.
    while (samples.length > 2 && now.at - samples[1]!.at >= LATELY_MS) samples.shift();
    const [first] = samples;
    const seconds = Math.max(now.at - first!.at, 1) / 1000;
    return {
      elapsed_s: (now.at - start) / 1000,
      read: now,
      rate: {
        bytes: (now.bytes - first!.bytes) / seconds,
        lines: (now.lines - first!.lines) / seconds,
        events: (now.events - first!.events) / seconds,
      },
      idle_s: (now.at - moved) / 1000,
      steps: summary.statuses,
      letters: summary.letters,
      sinks: lanes().map(sinkView),
      burying: sinkView(deadLetters),
      spool: spool.usage(),
    };
  };
}

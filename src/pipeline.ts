import { OVER, type Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { DecodeOptions } from './decode.ts';
import type { Lane } from './delivery/lane.ts';
import type { Lanes } from './delivery/lanes.ts';
import { Readers } from './readers.ts';
import { Reading } from './reading.ts';
import type { Slabs } from './slabs.ts';
import type { Source } from './sources/source.ts';
import type { Spool } from './spool/spool.ts';

export interface PipelineOptions {
  readonly sources: readonly Source[];
  readonly decode: DecodeOptions;
  readonly spool: Spool;
  readonly lanes: Lanes;
  /** The lane of the dead letters: it ends last, since the others append to it. */
  readonly deadLetters: Lane;
  readonly counters: Counters;
  readonly clock: Clock;
  /** How long lanes may take after the last line was read, in milliseconds. */
  readonly grace_ms: number;
  /** What reads rows and appends others that follow from them: it ends between the sources and the lanes. */
  readonly stages?: readonly Stage[];
  /** Where the rows' memory comes from. */
  readonly slabs: Slabs;
}

/** A derived stage: a lane that appends to the spool as a source. */
export interface Stage {
  readonly name: string;
  /**
   * Runs until the sources have ended and everything was taken, or the signal aborts: then what is not done is done by the next run. `complete` is called when all sources have come to their
   * own ends, before that is told by the reader: nothing more can follow, then. Never rejects.
   */
  run(signal: AbortSignal): Promise<void>;
  complete(): void;
}

export interface PipelineResult {
  /** Rows not delivered when the grace period was over, by sink. */
  readonly undelivered: ReadonlyMap<string, number>;
  /** Rows that were read and that the spool had no room for; of sources that resume none, since they read them again. */
  readonly unaccepted: number;
  /** Bytes of the same sources that were read and not even decoded: the grace period was over before. */
  readonly undecoded: number;
  /** What ended a source before its end, if anything did. */
  readonly failure: Error | undefined;
}

/** A pipeline that runs. */
export interface Pipeline {
  /** Resolves when every lane has settled everything, or the grace period after `stop` or the last read is over. */
  readonly done: Promise<PipelineResult>;
  /** False when all sources have ended, or reading was stopped: no other is read any more. */
  readonly reading: boolean;
  /** Goes on with other sources, and reads lines in another way: nothing is lost or read twice by that. Lanes change by themselves. */
  change(sources: readonly Source[], decode: DecodeOptions): void;
}

/**
 * source -> lines -> decode -> spool -> lane -> sink
 *
 * Reads the sources to their ends, one after the other unless one of them has no end, or until `stop` aborts: then what was read is still delivered.
 */
export function startPipeline(options: PipelineOptions, stop: AbortSignal): Pipeline {
  const reading = new Reading(options.decode);
  const readers = new Readers(options, reading, stop);
  return {
    done: run(options, reading, readers, stop),
    get reading() {
      return !reading.over;
    },
    change(sources, decode) {
      reading.decode = decode;
      readers.change(sources);
    },
  };
}

/** A pipeline that stays as it is. */
export function runPipeline(options: PipelineOptions, stop: AbortSignal): Promise<PipelineResult> {
  return startPipeline(options, stop).done;
}

async function run(
  options: PipelineOptions,
  reading: Reading,
  readers: Readers,
  stop: AbortSignal,
): Promise<PipelineResult> {
  const { clock, lanes, deadLetters, spool, grace_ms } = options;
  const abort = new AbortController();
  const last = new AbortController();
  const running = lanes.run(abort.signal);
  const burying = deadLetters.run(last.signal);
  const staging = Promise.all((options.stages ?? []).map((stage) => stage.run(abort.signal)));
  const whenStopped = new Promise<void>((resolve) => {
    const stopped = (): void => {
      reading.deadline = clock.monotonic() + grace_ms;
      resolve();
    };
    stop.addEventListener('abort', stopped, { once: true });
  });
  const left = (): number => Math.max((reading.deadline ?? clock.monotonic()) - clock.monotonic(), 0);
  await within(readers.run(), whenStopped, left, clock);
  reading.over = true;
  if (reading.deadline === undefined) for (const stage of options.stages ?? []) stage.complete();
  spool.end('sources');
  await within(staging, whenStopped, left, clock);
  spool.end();
  await drained(options, running, reading, whenStopped);
  const deadline = reading.deadline ?? clock.monotonic();
  abort.abort();
  await Promise.all([running, staging]);
  // Only now have the others appended their last dead letters; a file takes them in no time, or its disk is gone.
  await spool.close();
  await within(burying, Promise.resolve(), () => Math.max(deadline - clock.monotonic(), BURYING_MS), clock);
  last.abort();
  await burying;
  const { waiting, failure } = reading;
  const undecoded = reading.undecoded();
  return { undelivered: undelivered([...lanes.all, deadLetters]), unaccepted: waiting, undecoded, failure };
}

/**
 * Waits for the lanes. Whoever sent SIGTERM counts one grace period for all of it, from then. After an input that ended by itself nobody counts: a backlog may take
 * its time, and the wait is over when nothing was settled for a grace period, unless somebody is still reading the rows.
 */
async function drained(
  { lanes, clock, grace_ms }: PipelineOptions,
  running: Promise<unknown>,
  reading: Reading,
  whenStopped: Promise<void>,
): Promise<void> {
  let over = false;
  const done = running.then(() => {
    over = true;
  });
  const pending = (): number => lanes.all.reduce((sum, lane) => sum + lane.pending(), 0);
  // Who pages through the rows may take a day for a page.
  const read = (): boolean =>
    lanes.all.some(({ sink, state }) => sink.gone?.aborted === false && state.state === 'running');
  let before = Number.NaN;
  while (!over) {
    const left = pending();
    if (reading.deadline === undefined && left === before && !read()) return;
    before = left;
    const stopped = reading.deadline !== undefined;
    const most = (reading.deadline ?? clock.monotonic() + grace_ms) - clock.monotonic();
    // A store that is down has nothing to be waited for when nothing waits for it.
    const ms = left === 0 ? Math.min(most, SETTLING_MS) : most;
    const changed = stopped ? done : Promise.race([done, whenStopped]);
    await within(changed, Promise.resolve(), () => ms, clock);
    if (stopped) return;
  }
}

/** What lanes get to write down that nothing is left to do. */
const SETTLING_MS = 1_000;

/** What the last dead letters get when the grace period is over. */
const BURYING_MS = 1_000;

/** Rows committed and not settled, by sink; sinks with none are left out. */
export function undelivered(lanes: readonly Lane[]): Map<string, number> {
  const rows = new Map<string, number>();
  for (const lane of lanes) if (lane.pending() > 0) rows.set(lane.sink.name, lane.pending());
  return rows;
}

/** Waits for `work`, but once `start` has resolved no longer than is left then, in milliseconds. */
async function within(work: Promise<unknown>, start: Promise<void>, left: () => number, clock: Clock): Promise<void> {
  const done = new AbortController();
  const over = start.then(() => clock.sleep(left(), done.signal));
  await Promise.race([work, over]);
  done.abort(OVER);
}

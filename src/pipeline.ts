import type { Readable } from 'node:stream';
import type { Clock } from './clock.ts';
import type { Counters, ReadCounts } from './counters.ts';
import type { Batch } from './batch.ts';
import { Decoder, type DecodeOptions } from './decode.ts';
import type { Lane } from './delivery/lane.ts';
import { wholeLines, type Chunk } from './framing/lines.ts';
import type { Slabs } from './slabs.ts';
import type { Source } from './sources/source.ts';
import type { Spool } from './spool/spool.ts';

export interface PipelineOptions {
  readonly sources: readonly Source[];
  readonly decode: DecodeOptions;
  readonly spool: Spool;
  readonly lanes: readonly Lane[];
  /** The lane of the dead letters: it ends last, since the others append to it. */
  readonly deadLetters: Lane;
  readonly counters: Counters;
  readonly clock: Clock;
  /** How long lanes may take after the last line was read, in milliseconds. */
  readonly grace_ms: number;
  /** Where the rows' memory comes from. */
  readonly slabs: Slabs;
}

export interface PipelineResult {
  /** Rows not delivered when the grace period was over, by sink. */
  readonly undelivered: ReadonlyMap<string, number>;
  /** Rows that were read and that the spool had no room for. */
  readonly unaccepted: number;
  /** Bytes that were read and not even decoded: the grace period was over before. */
  readonly undecoded: number;
  /** What ended a source before its end, if anything did. */
  readonly failure: Error | undefined;
}

/**
 * source -> lines -> decode -> spool -> lane -> sink
 *
 * Reads the sources to their ends, one after the other, or until `stop` aborts: then what was read is still delivered. Resolves when every lane has
 * settled everything, or the grace period after `stop` or the last read is over.
 */
export async function runPipeline(options: PipelineOptions, stop: AbortSignal): Promise<PipelineResult> {
  const { clock, lanes, deadLetters, spool, grace_ms } = options;
  const abort = new AbortController();
  const last = new AbortController();
  const running = Promise.all(lanes.map((lane) => lane.run(abort.signal)));
  const burying = deadLetters.run(last.signal);
  const reading = new Reading();
  const whenStopped = new Promise<void>((resolve) => {
    const stopped = (): void => {
      reading.deadline = clock.monotonic() + grace_ms;
      resolve();
    };
    stop.addEventListener('abort', stopped, { once: true });
  });
  await within(readAll(options, reading, stop), whenStopped, grace_ms, clock);
  reading.over = true;
  spool.end();
  // One grace period for all of it: whoever sent SIGTERM counts from then.
  const deadline = reading.deadline ?? clock.monotonic() + grace_ms;
  await within(running, Promise.resolve(), deadline - clock.monotonic(), clock);
  abort.abort();
  await running;
  // Only now have the others appended their last dead letters; a file takes them in no time, or its disk is gone.
  spool.close();
  await within(burying, Promise.resolve(), Math.max(deadline - clock.monotonic(), BURYING_MS), clock);
  last.abort();
  await burying;
  const { waiting, failure } = reading;
  const undecoded = reading.undecoded();
  return { undelivered: undelivered([...lanes, deadLetters]), unaccepted: waiting, undecoded, failure };
}

/** What the last dead letters get when the grace period is over. */
const BURYING_MS = 1_000;

/** Rows committed and not settled, by sink; sinks with none are left out. */
export function undelivered(lanes: readonly Lane[]): Map<string, number> {
  const rows = new Map<string, number>();
  for (const lane of lanes) if (lane.pending() > 0) rows.set(lane.sink.name, lane.pending());
  return rows;
}

/** Waits for `work`, but once `start` has resolved no longer than `ms`. */
async function within(work: Promise<unknown>, start: Promise<void>, ms: number, clock: Clock): Promise<void> {
  const done = new AbortController();
  const over = start.then(() => clock.sleep(ms, done.signal));
  await Promise.race([work, over]);
  done.abort(OVER);
}

/** What the reading side has come to. */
class Reading {
  /** Rows of batches that the spool has no room for. */
  waiting = 0;
  /** Bytes that came out of a source and were not decoded yet. */
  undecoded = (): number => 0;
  /** True when nothing is appended any more. */
  over = false;
  failure: Error | undefined;
  /** When the grace period is over; undefined while nobody has asked to stop. */
  deadline: number | undefined;
}

async function readAll(options: PipelineOptions, reading: Reading, stop: AbortSignal): Promise<void> {
  for (const source of options.sources) {
    if (stop.aborted || reading.failure !== undefined) return;
    try {
      await pump(source, options, reading, stop);
    } catch (error) {
      // A bug: what was accepted is delivered all the same.
      reading.failure = error as Error;
    }
  }
}

/** Reason of an abort that is no failure: without one, a DOMException with a stack is made each time. */
const OVER = 'over';

/** How often unfinished events are looked at while nothing is read. */
const LOOK_MS = 500;

/** Reads one source into the spool. */
async function pump(source: Source, options: PipelineOptions, reading: Reading, stop: AbortSignal): Promise<void> {
  const { clock, spool, counters } = options;
  const decoder = new Decoder(source, options.decode, clock, options.slabs);
  const bytes = source.open();
  const cut = new AbortController();
  const lines = wholeLines(options.decode.max_line_bytes, cut.signal);
  const halt = (): void => stopReading(bytes, lines);
  // After the end of the input its last line is whole, though it may still wait to be decoded.
  const stopped = (): void => {
    if (!bytes.readableEnded) cut.abort();
    halt();
  };
  bytes.once('error', (error) => {
    reading.failure = new Error(`${source.name}: ${error.message}`, { cause: error });
    halt();
  });
  let read = 0;
  bytes.on('data', (piece: Buffer) => {
    read += piece.length;
  });
  reading.undecoded = () => read - decoder.offset;
  bytes.pipe(lines);
  if (stop.aborted) stopped();
  else stop.addEventListener('abort', stopped, { once: true });

  // One append may be under way while the next batch is decoded: with a group commit on a disk, that is where the time goes.
  let before: Promise<unknown> = Promise.resolve();
  const append = async ({ batch, counts }: { batch: Batch; counts: ReadCounts }): Promise<void> => {
    counters.add(source.name, counts);
    if (batch.rows.length === 0) return;
    const rows = batch.rows.reduce((sum, table) => sum + table.ends.length, 0);
    reading.waiting += rows;
    const now = spool.append(batch).then(() => {
      reading.waiting -= rows;
    });
    await before;
    before = now;
  };
  const chunks: AsyncIterator<Chunk> = lines[Symbol.asyncIterator]();
  let next = chunks.next();
  while (!reading.over) {
    if (decoder.open && (await quiet(next, clock))) {
      await append(decoder.flush(false));
      continue;
    }
    const { done, value } = await next;
    if (done === true) break;
    next = chunks.next();
    await append(decoder.feed(value));
  }
  await append(decoder.flush(true));
  await before;
  stop.removeEventListener('abort', stopped);
}

/** True when nothing came for a while. */
async function quiet(next: Promise<unknown>, clock: Clock): Promise<boolean> {
  const waited = new AbortController();
  const nothing = clock.sleep(LOOK_MS, waited.signal).then(() => true);
  const first = await Promise.race([next.then(() => false), nothing]);
  waited.abort(OVER);
  return first;
}

/** Ends the reading, not the delivery: what has come out of the source goes through. */
function stopReading(bytes: Readable, lines: NodeJS.WritableStream): void {
  bytes.unpipe(lines);
  for (let rest: unknown = bytes.read(); rest !== null; rest = bytes.read()) lines.write(rest as Buffer);
  lines.end();
  bytes.destroy();
}

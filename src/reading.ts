import { Appends } from './appends.ts';
import { OVER, type Clock } from './clock.ts';
import { Decoder } from './decode.ts';
import { cutting } from './cutting.ts';
import type { Chunk } from './framing/lines.ts';
import type { PipelineOptions } from './pipeline.ts';
import type { Source } from './sources/source.ts';

/** What the reading side has come to. */
export class Reading {
  /** Rows of batches that the spool has no room for; of a source that resumes none, since it reads them again. */
  waiting = 0;
  /** Of each such source, bytes that came out of it and were not decoded yet. */
  readonly behind: (() => number)[] = [];
  /** True when nothing is appended any more. */
  over = false;
  failure: Error | undefined;
  /** When the grace period is over; undefined while nobody has asked to stop. */
  deadline: number | undefined;
  readonly #broken = new AbortController();

  undecoded(): number {
    return this.behind.reduce((sum, bytes) => sum + bytes(), 0);
  }

  /** Ends the reading of every source. */
  fail(error: Error): void {
    this.failure ??= error;
    this.#broken.abort(OVER);
  }

  get broken(): AbortSignal {
    return this.#broken.signal;
  }
}

/** Reads the sources one after the other; when any of them has no end, all at once. */
export async function readAll(options: PipelineOptions, reading: Reading, stop: AbortSignal): Promise<void> {
  const read = async (source: Source): Promise<void> => {
    if (stop.aborted || reading.failure !== undefined) return;
    try {
      await pump(source, options, reading, AbortSignal.any([stop, reading.broken]));
    } catch (error) {
      // A bug: what was accepted is delivered all the same.
      reading.fail(error as Error);
    }
  };
  const { sources } = options;
  if (sources.some(({ follows }) => follows === true)) await Promise.all(sources.map(read));
  else for (const source of sources) await read(source);
}

/** How often unfinished events are looked at while nothing is read. */
const LOOK_MS = 500;

/** Reads one source into the spool. */
async function pump(source: Source, options: PipelineOptions, reading: Reading, stop: AbortSignal): Promise<void> {
  const { clock, decode, slabs } = options;
  const from = options.spool.positions.get(source.name);
  const opened = source.open(from);
  const { bytes, offset, carried } = opened;
  const { lines, ending } = cutting(source, opened, decode.max_line_bytes, reading, stop);
  let read = offset;
  bytes.on('data', (piece: Buffer) => {
    read += piece.length;
  });
  const decoder = new Decoder(source, decode, clock, slabs, { offset, from: carried === 'again' ? undefined : from });
  if (!source.resumes) reading.behind.push(() => read - decoder.offset);
  const appends = new Appends(source, decoder, options, reading);
  // Its lines were read by an earlier process, and never became events.
  if (!source.resumes || carried === 'end') await appends.add(decoder.flush('all'));

  const chunks: AsyncIterator<Chunk> = lines[Symbol.asyncIterator]();
  let next = chunks.next();
  while (!reading.over) {
    if (decoder.open && (await quiet(next, clock))) {
      await appends.add(decoder.flush('quiet'));
      continue;
    }
    const { done, value } = await next;
    if (done === true) break;
    next = chunks.next();
    const decoded = decoder.feed(value);
    if ('read' in value && value.read !== undefined) source.reuse?.(value.read);
    await appends.add(decoded);
  }
  await appends.end(decoder.flush(ending() === 'left' ? 'nothing' : 'all'));
}

/** True when nothing came for a while. */
async function quiet(next: Promise<unknown>, clock: Clock): Promise<boolean> {
  const waited = new AbortController();
  const nothing = clock.sleep(LOOK_MS, waited.signal).then(() => true);
  const first = await Promise.race([next.then(() => false), nothing]);
  waited.abort(OVER);
  return first;
}

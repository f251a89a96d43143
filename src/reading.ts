import { Appends } from './appends.ts';
import { OVER, type Clock } from './clock.ts';
import { Decoder, type DecodeOptions } from './decode.ts';
import { cutting } from './cutting.ts';
import type { Chunk } from './framing/lines.ts';
import type { PipelineOptions } from './pipeline.ts';
import type { ByteSource } from './sources/source.ts';

/** What the reading side is to do, and has come to. */
export class Reading {
  /** How lines are read from now on. A decoder that is at work hands over to the next between two batches. */
  decode: DecodeOptions;
  /** Rows of batches that the spool has no room for; of a source that resumes none, since it reads them again. */
  waiting = 0;
  /** Of each such source, bytes that came out of it and were not decoded yet. */
  readonly behind: (() => number)[] = [];
  /** Files that are read, by path, and by which source: their positions are kept under the path, so that none is read by two. */
  readonly claims = new Map<string, string>();
  /** True when nothing is appended any more. */
  over = false;
  failure: Error | undefined;
  /** When the grace period is over; undefined while nobody has asked to stop. */
  deadline: number | undefined;
  readonly #broken = new AbortController();

  constructor(decode: DecodeOptions) {
    this.decode = decode;
  }

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

/** How often unfinished events are looked at while nothing is read. */
const LOOK_MS = 500;

/** Reads one source into the spool, until it ends or `stop` aborts. */
export async function pump(
  source: ByteSource,
  options: PipelineOptions,
  reading: Reading,
  stop: AbortSignal,
): Promise<void> {
  const { clock, slabs } = options;
  let { decode } = reading;
  const from = options.spool.positions.get(source.name);
  const opened = source.open(from);
  const { bytes, offset, carried } = opened;
  const { lines, ending } = cutting(source, opened, reading, stop);
  let read = offset;
  bytes.on('data', (piece: Buffer) => {
    read += piece.length;
  });
  const state = options.spool.state(source.name);
  let decoder = new Decoder(source, decode, clock, slabs, {
    offset,
    from: carried === 'again' ? undefined : from,
    state,
  });
  if (!source.resumes) reading.behind.push(() => read - decoder.offset);
  const appends = new Appends(source, () => decoder.offset, options, reading);
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
    if (decode !== reading.decode) {
      ({ decode } = reading);
      const { offset: at, state: remembered } = decoder;
      decoder = new Decoder(source, decode, clock, slabs, { offset: at, from: decoder.position(), state: remembered });
    }
    const decoded = decoder.feed(value);
    if ('read' in value && value.read !== undefined) source.reuse?.(value.read);
    await appends.add(decoded);
  }
  await appends.end(decoder.flush(ending() === 'left' ? 'nothing' : 'all'));
}

/** True when nothing came for a while. */
export async function quiet(next: Promise<unknown>, clock: Clock): Promise<boolean> {
  const waited = new AbortController();
  const nothing = clock.sleep(LOOK_MS, waited.signal).then(() => true);
  const first = await Promise.race([next.then(() => false), nothing]);
  waited.abort(OVER);
  return first;
}

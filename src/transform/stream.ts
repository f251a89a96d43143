import type { Transform } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import through2 from 'through2';
import { OVER, systemClock, type Clock } from '../clock.ts';
import { Decoding } from './decoding.ts';
import type { Event, Rejection } from './event.ts';
import { decodeOptions, type EventOptions } from './options.ts';
import type { Made } from './order.ts';

/** What an EventStream emits. */
export interface EventStreamEvents {
  data: [event: Event];
  rejection: [rejection: Rejection];
  error: [error: Error];
  close: [];
  drain: [];
  end: [];
  finish: [];
  pause: [];
  readable: [];
  resume: [];
}

/**
 * A Transform that gives one {@link Event} for every event, in the order of their lines; an event of several lines (a traceback) comes when it ends: with
 * the next line of another kind, when its stream has said nothing for about a second, or at the end.
 *
 * A line that cannot be an event is emitted as `'rejection'`, in its place among the events as they are made, and never ends the stream. When nobody listens
 * to that, Node prints a warning (`STEPTAP_REJECTION`) for the first, and at the end one with their number.
 */
export interface EventStream extends Transform {
  on<Name extends keyof EventStreamEvents>(name: Name, listener: (...args: EventStreamEvents[Name]) => void): this;
  on(name: string | symbol, listener: (...args: never[]) => void): this;
  once<Name extends keyof EventStreamEvents>(name: Name, listener: (...args: EventStreamEvents[Name]) => void): this;
  once(name: string | symbol, listener: (...args: never[]) => void): this;
  /** Node's own type behind ours: else `pipeline` would take it for a stream of bytes. */
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Event> & ReturnType<Transform[typeof Symbol.asyncIterator]>;
}

/**
 * Makes events of the bytes of a step log, cut wherever: of a file, a socket, `kubectl logs -f`. Formats and transports are recognised line by line. Throws a
 * TypeError or a RangeError that names the option which makes no sense.
 *
 * @example
 * ```ts
 * import { createReadStream } from 'node:fs';
 * import { stepEvents } from 'steptap';
 *
 * const events = createReadStream('pod.log').pipe(stepEvents({ constants: { namespace: 'ml' } }));
 * events.on('rejection', ({ offset, reason, detail }) => console.error(`${offset}: ${reason}: ${detail}`));
 * for await (const event of events) {
 *   if (event.kind === 'step') console.log(event.step, event.status, event.wall_time_s);
 * }
 * ```
 */
export function stepEvents(options?: EventOptions): EventStream {
  return eventStream(options, false, patientClock);
}

/**
 * The same for a program that has lines already: every write is one line, a string or a Buffer, with or without the newline at its end. Offsets of
 * rejections count a newline behind every line.
 *
 * @example
 * ```ts
 * import split2 from 'split2';
 * import { stepEventsOfLines } from 'steptap';
 *
 * for await (const event of process.stdin.pipe(split2()).pipe(stepEventsOfLines())) {
 *   console.log(event.ts, event.kind);
 * }
 * ```
 */
export function stepEventsOfLines(options?: EventOptions): EventStream {
  return eventStream(options, true, patientClock);
}

/** A program that has nothing else to do is not kept waiting for a stream that nobody ends. */
const patientClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => setTimeout(ms, undefined, { ref: false, signal }).catch(() => {}),
};

/** How often unfinished events are looked at while nothing is written: after a second of that the decoder lets go of them. */
const LOOK_MS = 500;

/** `clock` says when it is quiet. */
export function eventStream(options: EventOptions | undefined, lines: boolean, clock: Clock): EventStream {
  const decoding = new Decoding(decodeOptions(options), clock);
  const stream = through2(
    { readableObjectMode: true, writableObjectMode: lines },
    (written: unknown, _encoding, done) => {
      const bytes = lines ? lineBytes(written) : (written as Buffer);
      if (bytes instanceof Error) done(bytes);
      else flow.add(decoding.write(bytes), done);
    },
    (done) => {
      flow.add(decoding.end(), () => {
        if (unheard > 1) warn(`${unheard} lines could not be events, and nobody listened to 'rejection'`);
        done();
      });
    },
  ) as EventStream;
  let unheard = 0;
  const rejected = (rejection: Rejection): void => {
    if (stream.emit('rejection', rejection) || ++unheard > 1) return;
    const { offset, reason, detail } = rejection;
    warn(`the line at offset ${offset} could not be an event (${reason}: ${detail}); listen to 'rejection' for more`);
  };
  const flow = new Flow(stream, decoding, clock, rejected);
  return stream;
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'SteptapWarning', code: 'STEPTAP_REJECTION' });
}

function lineBytes(line: unknown): Buffer | TypeError {
  if (typeof line === 'string') return Buffer.from(line.endsWith('\n') ? line : `${line}\n`);
  if (!(line instanceof Uint8Array)) return new TypeError(`a line is a string or a Buffer, and not ${typeof line}`);
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.length);
  return bytes.at(-1) === 10 ? bytes : Buffer.concat([bytes, NEWLINE]);
}

const NEWLINE = Buffer.from('\n');

/**
 * Hands over events as fast as the reader takes them. A Transform alone would push all that a write becomes; this one stops in the middle, and a write is
 * done when the reader has room for its last event.
 */
class Flow {
  readonly #stream: Transform;
  readonly #decoding: Decoding;
  readonly #clock: Clock;
  readonly #rejected: (rejection: Rejection) => void;
  /** The write in hand, and before it what was let go of because it was quiet. */
  readonly #making: Generator<Made, void>[] = [];
  #done: (() => void) | undefined;
  /** True while the reader has no room; and at first, since whoever has made the stream wants to listen before it says anything. */
  #held = true;
  #quiet = new AbortController();

  constructor(stream: Transform, decoding: Decoding, clock: Clock, rejected: (rejection: Rejection) => void) {
    this.#stream = stream;
    this.#decoding = decoding;
    this.#clock = clock;
    this.#rejected = rejected;
    process.nextTick(() => {
      if (this.#held) this.#run();
    });
    const read = stream._read.bind(stream);
    stream._read = (size) => {
      if (this.#held) this.#run();
      // Also when that was the last of a write: nothing asks again until something is pushed.
      if (!this.#held) read(size);
    };
    stream.once('close', () => {
      this.#quiet.abort(OVER);
      for (const making of this.#making.splice(0)) making.return();
    });
  }

  /** One write at a time. */
  add(making: Generator<Made, void>, done: () => void): void {
    this.#quiet.abort(OVER);
    this.#making.push(making);
    this.#done = done;
    if (!this.#held) this.#run();
  }

  #run(): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    this.#held = false;
    for (let making = this.#making[0]; making !== undefined; making = this.#making[0]) {
      for (let next = making.next(); next.done !== true; next = making.next()) {
        if ('rejection' in next.value) this.#rejected(next.value.rejection);
        else if (!stream.push(next.value.event)) {
          this.#held = true;
          return;
        }
        if (stream.destroyed) return;
      }
      this.#making.shift();
    }
    const done = this.#done;
    this.#done = undefined;
    if (this.#decoding.open) void this.#listen();
    done?.();
  }

  /** Lets go of what is open when nothing is written for a while. */
  async #listen(): Promise<void> {
    const { signal } = (this.#quiet = new AbortController());
    await this.#clock.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    this.#making.push(this.#decoding.quiet());
    this.#run();
  }
}

import type { Readable } from 'node:stream';
import type { Appends } from '../../appends.ts';
import type { Decoder } from '../../decode.ts';
import { LineCutter, type Chunk } from '../../framing/lines.ts';
import type { Intake } from '../../intake.ts';
import { quiet } from '../../reading.ts';
import type { OwnSource } from '../source.ts';

const MARKS: readonly string[] = ['BEGIN TRANSACTION\n', 'COMMIT TRANSACTION\n'];
const LONGEST_MARK = 19;

/**
 * Standard input of a program that waits for a word on every message: rsyslog's `omprog` with `confirmMessages="on"`
 * (https://www.rsyslog.com/doc/configuration/modules/omprog.html).
 *
 *   -> OK                     ready
 *   <- a message              one line
 *   -> OK                     it is committed
 *
 * With `useTransactions` rsyslog puts marks between them, which are answered too. A message within a transaction could be answered with DEFER_COMMIT, and all of them be
 * committed at its end: but when its program dies in the middle, rsyslog does not send again what was answered so (https://github.com/rsyslog/rsyslog/issues/2420; 111
 * of 20,000 messages were lost in ten kills). So each one is committed by itself.
 *
 * What is not confirmed is sent again, also when it was committed and only the word was lost: no message is lost, and one may be stored twice.
 */
export function confirmingStdin(open: () => Readable, say: (word: string) => void): OwnSource {
  return {
    name: 'stdin',
    resumes: false,
    follows: true,
    run: (intake, stop) => new Confirming(intake, say).run(open(), stop),
  };
}

class Confirming {
  readonly #intake: Intake;
  readonly #say: (word: string) => void;
  readonly #source = { name: 'stdin', position: (offset: number) => ({ offset }) };
  #decode: Intake['decode'];
  #decoder: Decoder;
  readonly #appends: Appends;

  constructor(intake: Intake, say: (word: string) => void) {
    this.#intake = intake;
    this.#say = say;
    this.#decode = intake.decode;
    const start = { offset: 0, from: intake.positions.get('stdin'), state: intake.state('stdin') };
    this.#decoder = intake.decoder(this.#source, start);
    this.#appends = intake.appends({ name: 'stdin', resumes: false }, () => this.#decoder.offset);
  }

  async run(bytes: Readable, stop: AbortSignal): Promise<void> {
    // Its lines were confirmed to an earlier process, and never became events.
    await this.#appends.add(this.#decoder.flush('all'));
    this.#say('OK');
    const cutter = new LineCutter(this.#decode.max_line_bytes);
    const read = reader(bytes, stop);
    let next = read();
    for (;;) {
      if (this.#decoder.open && (await quiet(next, this.#intake.clock))) {
        await this.#appends.add(this.#decoder.flush('quiet'));
        continue;
      }
      const { done, value } = await next;
      if (done === true) break;
      next = read();
      cutter.limit(this.#intake.decode.max_line_bytes);
      for (const chunk of cutter.push(value)) await this.#chunk(chunk);
    }
    // What was not ended by a newline is half a message: it was not confirmed, and is sent again.
    await this.#appends.end(this.#decoder.flush('all'));
    bytes.destroy();
  }

  async #chunk(chunk: Chunk): Promise<void> {
    if ('head' in chunk) return this.#message(chunk);
    const { bytes, offset } = chunk;
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(10, start) + 1;
      await this.#line(bytes.subarray(start, end), offset + start);
      start = end;
    }
  }

  async #line(bytes: Buffer, offset: number): Promise<void> {
    if (bytes.length <= LONGEST_MARK && MARKS.includes(bytes.latin1Slice())) this.#say('OK');
    else await this.#message({ bytes, offset });
  }

  async #message(chunk: Chunk): Promise<void> {
    const { decode } = this.#intake;
    if (this.#decode !== decode) {
      this.#decode = decode;
      const { offset, state } = this.#decoder;
      this.#decoder = this.#intake.decoder(this.#source, { offset, from: this.#decoder.position(), state });
    }
    // What is unfinished stands in the position, and with it on the disk.
    await this.#appends.end(this.#decoder.feed(chunk));
    if (!this.#appends.failed) this.#say('OK');
  }
}

/** Gives the next piece of the stream each time; the end of it too when `stop` aborts. */
function reader(bytes: Readable, stop: AbortSignal): () => Promise<IteratorResult<Buffer, unknown>> {
  const pieces = bytes[Symbol.asyncIterator]() as AsyncIterator<Buffer, unknown>;
  const stopped = new Promise<IteratorResult<Buffer, unknown>>((resolve) => {
    const end = (): void => resolve({ done: true, value: undefined });
    if (stop.aborted) end();
    else stop.addEventListener('abort', end, { once: true });
  });
  return () => {
    const piece = pieces.next();
    // Nobody waits for it any more when reading was stopped.
    piece.catch(() => {});
    return Promise.race([piece, stopped]);
  };
}

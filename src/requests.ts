import { setImmediate } from 'node:timers/promises';
import { applyChange, batchBytes, type Batch, type StateChange } from './batch.ts';
import type { ReadCounts } from './counters.ts';
import { REQUEST_PIECE, type Decoder, type DecodeOptions } from './decode.ts';
import type { Framing } from './framing/prefix.ts';
import type { Intake } from './intake.ts';
import { NOWHERE, type OriginFields } from './origin.ts';

/** What somebody has sent, to be stored as one record or not at all. */
export interface Request {
  /**
   * The same for the same request of the same peer, and for no other: what it was given for that (an idempotency key, the chunk of a forward message), or a digest of
   * its bytes, with the peer. Within an hour it is stored once, whatever dies in between. Absent: nothing tells it from others, and it is stored each time that it comes.
   */
  readonly id: string | undefined;
  /** One record a line. */
  readonly lines: Buffer;
  /** Whose lines they are, as far as that is known beside them. */
  readonly from?: OriginFields | undefined;
}

/** What can never be stored as it is: its beginning becomes a dead letter. */
export interface RefusedRequest {
  readonly id: string | undefined;
  /** Short, as of every dead letter. */
  readonly reason: string;
  readonly detail: string;
  readonly head: Buffer;
}

/** Bytes of requests that may be under way: past it, whoever sends is to wait. */
const MOST_UNDER_WAY = 32 << 20;
/** Of one request: Fluent Bit sends 2 MB of JSON at a time. Just below a power of two, to which their memory grows. */
const MOST_ROW_BYTES = 15 << 20;
/** Of a large one that others overtake, each of which costs as much as the first. */
const MOST_TRIES = 3;

interface Made {
  readonly batch: Batch;
  readonly counts: ReadCounts;
}

/** `again`: it was committed before, and nothing was stored now. `too_large`: nothing was stored, and nothing will be, since its rows are too many for a record. */
export type Taken = 'stored' | 'again' | 'too_large';

/** The requests of one source: each is decoded as a whole and becomes one record of the spool. */
export class Requests {
  readonly #source: { readonly name: string; readonly framing: Framing };
  readonly #intake: Intake;
  readonly #under_way = new Map<string | symbol, Promise<unknown>>();
  /** What dialects remember: what is committed, and over it what is appended, in order. Records are committed in the order in which they are appended. */
  #remembered: Map<string, string>;
  readonly #appended = new Set<StateChange>();
  #bytes = 0;
  /** Resolves when the last of the large ones has had its turn. */
  #turn: Promise<void> = Promise.resolve();
  #decode: DecodeOptions;
  #decoder: Decoder;
  /** Whose lines the decoder reads. */
  #from: OriginFields = NOWHERE;

  constructor(source: { readonly name: string; readonly framing: Framing }, intake: Intake) {
    this.#source = source;
    this.#intake = intake;
    this.#decode = intake.decode;
    this.#decoder = this.#newDecoder();
    this.#remembered = this.#newRemembered();
  }

  /** True when no other should be taken for now: the spool is full, or slower than they come. */
  get full(): boolean {
    return this.#bytes >= MOST_UNDER_WAY || this.#intake.full;
  }

  /** Resolves when it is committed. Rejects when it is not, and will not be: it may be sent again. */
  take({ id, lines, from = NOWHERE }: Request): Promise<Taken> {
    return this.#once(id, () => this.#store(id, lines, from));
  }

  /** The same for one that can never be stored: resolves when its dead letter is committed. */
  refuse({ id, reason, detail, head }: RefusedRequest): Promise<Taken> {
    return this.#once(id, () => this.#append(id, this.#decoderNow(NOWHERE).refuse(reason, detail, head)));
  }

  async #once(id: string | undefined, store: () => Promise<Taken>): Promise<Taken> {
    const key = id ?? Symbol('request');
    for (let same = this.#under_way.get(key); same !== undefined; same = this.#under_way.get(key)) {
      // When that one fails, this one may still be stored.
      await same.catch(() => {});
    }
    if (id !== undefined && this.#intake.seen(this.#source.name, id)) return 'again';
    const stored = store();
    this.#under_way.set(key, stored);
    try {
      return await stored;
    } finally {
      this.#under_way.delete(key);
    }
  }

  async #store(id: string | undefined, lines: Buffer, from: OriginFields): Promise<Taken> {
    if (lines.length > REQUEST_PIECE) return this.#inTurn(id, lines, from);
    const { value: made } = this.#decoderNow(from).request(lines, MOST_ROW_BYTES, this.#remembered).next();
    if (made !== undefined) return this.#append(id, made);
    this.#decoder = this.#newDecoder();
    this.#from = NOWHERE;
    return 'too_large';
  }

  /** Of large ones one at a time, up to its commit, and small ones in between: else a few would hold up all others, and their rows would fill the memory. */
  async #inTurn(id: string | undefined, lines: Buffer, from: OriginFields): Promise<Taken> {
    const before = this.#turn;
    const { promise, resolve } = newTurn();
    this.#turn = promise;
    await before;
    try {
      for (let tries = 1; ; tries++) {
        const before = new Map(this.#remembered);
        const made = await this.#decodeInPieces(lines, from, before);
        if (made === undefined) return 'too_large';
        // Small ones in between may have said some of it already.
        if (tries === MOST_TRIES || !this.#overtaken(before, made.batch.state)) return await this.#append(id, made);
      }
    } finally {
      resolve();
    }
  }

  async #decodeInPieces(
    lines: Buffer,
    from: OriginFields,
    remembered: ReadonlyMap<string, string>,
  ): Promise<Made | undefined> {
    const decoder = this.#newDecoder();
    if (from !== NOWHERE) decoder.from(from);
    const decoding = decoder.request(lines, MOST_ROW_BYTES, remembered);
    let step = decoding.next();
    for (; step.done !== true; step = decoding.next()) await setImmediate();
    return step.value;
  }

  #overtaken(before: ReadonlyMap<string, string>, { put = [] }: StateChange = {}): boolean {
    return put.some(([key]) => !before.has(key) && this.#remembered.has(key));
  }

  async #append(id: string | undefined, { batch, counts }: Made): Promise<Taken> {
    // What is held until it is committed are its rows: of a line of one byte, two hundred.
    const bytes = batchBytes(batch);
    const { state } = batch;
    this.#bytes += bytes;
    if (state !== undefined) {
      this.#appended.add(state);
      applyChange(this.#remembered, state);
    }
    const committed = this.#intake.append({ ...batch, request: id }, counts).finally(() => {
      this.#bytes -= bytes;
      if (state !== undefined) this.#appended.delete(state);
    });
    try {
      await committed;
      return 'stored';
    } catch (error) {
      // What is remembered of it is not stored, and is to be read as new when it comes again.
      this.#remembered = this.#newRemembered();
      this.#decoder = this.#newDecoder();
      throw error;
    }
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#under_way.size > 0) await Promise.allSettled(this.#under_way.values());
  }

  #decoderNow(from: OriginFields): Decoder {
    if (this.#decode !== this.#intake.decode) {
      this.#decode = this.#intake.decode;
      this.#decoder = this.#newDecoder();
      this.#from = NOWHERE;
    }
    if (this.#from !== from) this.#decoder.from(from);
    this.#from = from;
    return this.#decoder;
  }

  #newRemembered(): Map<string, string> {
    const remembered = new Map(this.#intake.state(this.#source.name));
    for (const change of this.#appended) applyChange(remembered, change);
    return remembered;
  }

  #newDecoder(): Decoder {
    const { name, framing } = this.#source;
    return this.#intake.decoder({ name, framing, position: () => ({}) });
  }
}

function newTurn(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

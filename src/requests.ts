import { batchBytes, type Batch } from './batch.ts';
import type { ReadCounts } from './counters.ts';
import type { Decoder, DecodeOptions } from './decode.ts';
import type { Framing } from './framing/prefix.ts';
import type { Intake } from './intake.ts';

/** What somebody has sent, to be stored as one record or not at all. */
export interface Request {
  /**
   * The same for the same request of the same peer, and for no other: what it was given for that (an idempotency key, the chunk of a forward message), or a digest of
   * its bytes, with the peer. Within an hour it is stored once, whatever dies in between.
   */
  readonly id: string;
  /** One record a line. */
  readonly lines: Buffer;
}

/** What can never be stored as it is: its beginning becomes a dead letter. */
export interface RefusedRequest {
  readonly id: string;
  /** Short, as of every dead letter. */
  readonly reason: string;
  readonly detail: string;
  readonly head: Buffer;
}

/** Bytes of requests that may be under way: past it, whoever sends is to wait. */
const MOST_UNDER_WAY = 32 << 20;

interface Made {
  readonly batch: Batch;
  readonly counts: ReadCounts;
}

/** The requests of one source: each is decoded as a whole and becomes one record of the spool. */
export class Requests {
  readonly #source: { readonly name: string; readonly framing: Framing };
  readonly #intake: Intake;
  readonly #under_way = new Map<string, Promise<unknown>>();
  #bytes = 0;
  #decode: DecodeOptions;
  #decoder: Decoder;

  constructor(source: { readonly name: string; readonly framing: Framing }, intake: Intake) {
    this.#source = source;
    this.#intake = intake;
    this.#decode = intake.decode;
    this.#decoder = this.#newDecoder();
  }

  /** True when no other should be taken for now: the spool is full, or slower than they come. */
  get full(): boolean {
    return this.#bytes >= MOST_UNDER_WAY || this.#intake.full;
  }

  /** True when a request with that id was committed, or is just being. */
  known(id: string): boolean {
    return this.#under_way.has(id) || this.#intake.seen(this.#source.name, id);
  }

  /**
   * Resolves when it is committed: `again` when it was before, and nothing was stored now. Rejects when it is not, and will not be: it may be sent again.
   */
  take({ id, lines }: Request): Promise<'stored' | 'again'> {
    return this.#once(id, (decoder) => decoder.request(lines));
  }

  /** The same for one that can never be stored: resolves when its dead letter is committed. */
  refuse({ id, reason, detail, head }: RefusedRequest): Promise<'stored' | 'again'> {
    return this.#once(id, (decoder) => decoder.refuse(reason, detail, head));
  }

  async #once(id: string, decode: (decoder: Decoder) => Made): Promise<'stored' | 'again'> {
    for (let same = this.#under_way.get(id); same !== undefined; same = this.#under_way.get(id)) {
      // When that one fails, this one may still be stored.
      await same.catch(() => {});
    }
    if (this.#intake.seen(this.#source.name, id)) return 'again';
    const { batch, counts } = decode(this.#decoderNow());
    // What is held until it is committed are its rows: of a line of one byte, two hundred.
    const bytes = batchBytes(batch);
    const stored = this.#intake.append({ ...batch, request: id }, counts);
    this.#under_way.set(id, stored);
    this.#bytes += bytes;
    try {
      await stored;
      return 'stored';
    } finally {
      this.#bytes -= bytes;
      this.#under_way.delete(id);
    }
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#under_way.size > 0) await Promise.allSettled(this.#under_way.values());
  }

  #decoderNow(): Decoder {
    if (this.#decode !== this.#intake.decode) {
      this.#decode = this.#intake.decode;
      this.#decoder = this.#newDecoder();
    }
    return this.#decoder;
  }

  #newDecoder(): Decoder {
    const { name, framing } = this.#source;
    return this.#intake.decoder({ name, framing, position: () => ({}) });
  }
}

import { createHash } from 'node:crypto';
import { OVER } from '../../clock.ts';
import { MOST_BYTES, ROWS_VERSION } from '../../forward/limits.ts';
import type { Intake } from '../../intake.ts';
import { MsgpackError } from '../../msgpack/values.ts';
import { Requests, type Taken } from '../../requests.ts';
import { Body } from '../../sinks/identity.ts';
import { writeEntry, writeRow, type Message } from './message.ts';

/** What became of a message; `ignored`: it has no logs. */
export type Stored = Taken | 'ignored';

/** Messages that nobody waits for become one record for so long, up to so many bytes. */
const GATHERING_MS = 20;
const MOST_GATHERED = 1 << 20;
/** Lines that may be under way, after which nothing more is read. */
const MOST_UNDER_WAY = 32 << 20;
const LARGE_BYTES = 8 << 20;
/** JSON is larger than msgpack, and escapes make six bytes of one. */
const MOST_JSON = 4 * MOST_BYTES;

interface Gathering {
  readonly pieces: Buffer[];
  bytes: number;
  readonly stored: Promise<Stored>;
  readonly flush: () => void;
}

/** Puts the messages of all peers of a source into the spool. */
export class Storing {
  readonly #name: string;
  readonly #intake: Intake;
  readonly #records: Requests;
  /** Of other steptaps. */
  readonly #rows: Requests;
  #body = new Body();
  /** Of the lines that are not committed. */
  #bytes = 0;
  #gathering: Gathering | undefined;

  constructor(name: string, intake: Intake) {
    this.#name = name;
    this.#intake = intake;
    this.#records = new Requests({ name, framing: 'record' }, intake);
    this.#rows = new Requests({ name, framing: 'rows' }, intake);
  }

  /** True when no other message should be read for now. */
  get full(): boolean {
    return this.#bytes >= MOST_UNDER_WAY || this.#records.full || this.#rows.full;
  }

  /**
   * Resolves when it is committed; rejects when it will not be. With a chunk it is one record, which is known for an hour when it comes again; without, its lines
   * may become a record together with others, and are stored each time that they come. Throws a MsgpackError for what cannot be read.
   */
  take(message: Message, peer: string): Promise<Stored> {
    const { option } = message;
    const { steptap = 0, fluent_signal = 0 } = option;
    if (fluent_signal !== 0) return Promise.resolve('ignored');
    if (steptap > ROWS_VERSION) throw new MsgpackError('rows of a newer steptap: bring this one up to date');
    const id = option.chunk === undefined ? undefined : idOf(option.chunk, message.tag, peer);
    if (id !== undefined && this.#intake.seen(this.#name, id)) return Promise.resolve('again');
    const lines = this.#lines(message);
    if (lines.length === 0) return Promise.resolve('stored');
    if (id === undefined && steptap === 0) return this.#gather(lines);
    this.flush();
    return this.#take(steptap === 0 ? this.#records : this.#rows, id, lines);
  }

  /** Waits for no other message any more. */
  flush(): void {
    this.#gathering?.flush();
  }

  async #take(requests: Requests, id: string | undefined, lines: Buffer): Promise<Stored> {
    this.#bytes += lines.length;
    try {
      return await requests.take({ id, lines });
    } finally {
      this.#bytes -= lines.length;
    }
  }

  #lines({ option: { steptap = 0 }, entries }: Message): Buffer {
    const body = this.#body;
    const { max_line_bytes } = this.#intake.decode;
    body.length = 0;
    for (const entry of entries()) {
      if (steptap === 0) writeEntry(entry, body, max_line_bytes);
      else writeRow(entry, body, max_line_bytes);
      if (body.length > MOST_JSON) throw new MsgpackError(`a message of more than ${MOST_JSON} bytes in JSON`);
    }
    const lines = Buffer.from(body.view());
    // One large message must not pin its size for good.
    if (body.bytes.length > LARGE_BYTES) this.#body = new Body();
    return lines;
  }

  #gather(lines: Buffer): Promise<Stored> {
    const gathering = (this.#gathering ??= this.#begin());
    gathering.pieces.push(lines);
    gathering.bytes += lines.length;
    if (gathering.bytes >= MOST_GATHERED) gathering.flush();
    return gathering.stored;
  }

  #begin(): Gathering {
    const over = new AbortController();
    const pieces: Buffer[] = [];
    let flush = (): void => {};
    const stored = new Promise<Stored>((resolve, reject) => {
      flush = () => {
        if (over.signal.aborted) return;
        over.abort(OVER);
        this.#gathering = undefined;
        this.#take(this.#records, undefined, Buffer.concat(pieces)).then(resolve, reject);
      };
    });
    void this.#intake.clock.sleep(GATHERING_MS, over.signal).then(flush);
    return { pieces, bytes: 0, stored, flush };
  }
}

/** The chunk of a steptap: the random name of its spool and of its process is in it, so that it is nobody else's. The head of the text stands before it. */
const STEPTAP = /^[^]{1,3}steptap-r?[0-9a-f]{16}-[0-9a-f]{12}-/;

/**
 * What a message is known by when it comes again. Chunks of Fluent Bit are a digest of what is in them, so that those of two peers may be the same: it is of the peer,
 * too. Those of a steptap are its own wherever it comes from, since an agent whose pod is replaced gets another address.
 */
function idOf(chunk: Buffer, tag: Buffer, peer: string): string {
  const own = STEPTAP.test(chunk.toString('latin1'));
  const hash = createHash('sha256');
  for (const part of [own ? '' : peer, own ? '' : tag, chunk]) hash.update(part).update('\0');
  return hash.digest('base64');
}

import type { SpoolFile } from './files.ts';
import type { Header } from './format.ts';
import { SegmentIndex } from './index-table.ts';
import { metaOf } from './payload.ts';
import { Scanner } from './scan.ts';
import type { Said, Snapshot } from './sources.ts';

export interface Unsealed {
  readonly index: SegmentIndex;
  /** Numbers of its first and last batch; undefined when it has none. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** What is behind it was never committed; 0 when nothing can be read. */
  readonly end: number;
  /** Where the last group begins: what is before it was committed. */
  readonly tail: number;
  /** Bytes before `end` that are no record any more. */
  readonly damaged: number;
}

export interface UnsealedOptions {
  readonly size: number;
  readonly spool: string | undefined;
  /** The last record of the segments before. */
  readonly last: number;
  /** What stood behind this record was written anew in a later segment, or was never committed. */
  readonly limit: number;
  /** All up to this record is known to have been committed. */
  readonly proven: number;
  /** Called for the snapshot and for every batch, in order, with what it says. */
  readonly found: (header: Header, says: Snapshot | Said) => void;
}

interface Sight {
  readonly header: Header;
  /** Undefined of a seal that is in the middle. */
  readonly says: Snapshot | Said | undefined;
  readonly at: number;
  readonly end: number;
}

/**
 * Reads a segment that was being written when the process or the machine stopped.
 *
 * A killed process leaves a beginning of what it wrote. A power cut may leave any part of what was not synced: of a group, the third batch and not the second. Then the whole group was
 * not committed, and its third batch must not count: the source stands, as far as it knows, before the second. So a batch behind a gap is believed only when the gap is
 * surely damage: when something later, of this segment or outside of it, says that the group was committed.
 */
export async function readUnsealed(file: SpoolFile, options: UnsealedOptions): Promise<Unsealed> {
  const reading = new Reading(options);
  let scratch = new ArrayBuffer(1 << 16);
  const memory = (length: number): ArrayBuffer => {
    if (length > scratch.byteLength) scratch = new ArrayBuffer(length * 2);
    return scratch;
  };
  const scanner = new Scanner(file, { end: options.size, spool: options.spool, around: true, memory });
  for (let item = await scanner.next(); item !== undefined; item = await scanner.next()) {
    const { at, header } = item;
    if (header?.kind === 'batch' && header.seq > options.limit) break;
    reading.see(header, header === undefined ? undefined : item.payload, at, scanner.at);
  }
  return reading.result;
}

class Reading {
  readonly #options: UnsealedOptions;
  readonly result = {
    index: new SegmentIndex(),
    first: undefined as number | undefined,
    last: undefined as number | undefined,
    end: 0,
    tail: 0,
    damaged: 0,
  };
  /** The last number that stands here, or need not. */
  #last: number;
  /** Behind a gap, and perhaps never committed. */
  readonly #doubtful: Sight[] = [];
  #bad = 0;
  /** Number of the first batch of the last group. */
  #group = 0;

  constructor(options: UnsealedOptions) {
    this.#options = options;
    this.#last = options.last;
  }

  see(header: Header | undefined, payload: Buffer | undefined, at: number, end: number): void {
    // A seal is written when all before it is committed, whether or not it can be read to its end.
    if (header?.kind === 'seal') this.#believe();
    if (header === undefined || payload === undefined) {
      this.#bad += end - at;
    } else if (header.kind !== 'batch') {
      const says = header.kind === 'snapshot' ? (JSON.parse(payload.toString('utf8')) as Snapshot) : undefined;
      this.#accept({ header, says, at, end });
    } else {
      const sight = { header, says: metaOf(payload), at, end };
      const last = this.#doubtful.at(-1)?.header.seq;
      if (last !== undefined && header.seq - header.group > last) this.#believe();
      if (this.#doubtful.length > 0 || this.#doubts(header)) this.#doubtful.push(sight);
      else this.#accept(sight);
    }
  }

  /** True when a batch of its own group is missing before it, and nothing says yet that the group was committed. */
  #doubts({ seq, group }: Header): boolean {
    return group > 0 && seq > this.#last + 1 && this.#options.proven < seq - group;
  }

  #believe(): void {
    for (const sight of this.#doubtful) this.#accept(sight);
    this.#doubtful.length = 0;
  }

  #accept({ header, says, at, end }: Sight): void {
    const { result } = this;
    result.end = end;
    result.damaged += this.#bad;
    this.#bad = 0;
    // It stands in a segment before this one too: it was written anew after a sync had failed.
    if (header.kind === 'batch' && header.seq <= this.#last) return;
    this.#last = Math.max(this.#last, header.seq);
    if (header.kind === 'seal') return;
    if (says !== undefined) this.#options.found(header, says);
    if (header.kind !== 'batch') return;
    if (header.seq - header.group > this.#group) {
      this.#group = header.seq - header.group;
      result.tail = at;
    }
    result.index.add(header, at);
    result.first ??= header.seq;
    result.last = header.seq;
  }
}

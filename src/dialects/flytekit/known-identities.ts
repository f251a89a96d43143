import type { Origin } from '../../origin.ts';
import type { Settled, StepComposer } from './compose.ts';
import type { Identities } from './identities.ts';
import type { LineIdentity } from './identity.ts';
import type { StepScan } from './scan.ts';

/** An identity by the bytes of its four members, with what it came to on the origin that it was last seen on. */
export interface KnownIdentity {
  readonly line: LineIdentity;
  origin: Origin | undefined;
  settled: Settled | undefined;
}

/** An identity stands at one of WAYS places by its hash. When all are taken, the last of them goes: executions end. */
const IDENTITIES = 8_192;
const WAYS = 8;
/** Their bytes lie one behind the other, so that comparing them misses the processor's caches once and not four times. */
const SLOT = 512;
const NOTHING = new Uint8Array(0);

/** The identities of lines that come again and again, found without making a string. */
export class KnownIdentities {
  readonly #composer: StepComposer;
  readonly #identities: Identities;
  readonly #table: (KnownIdentity | undefined)[] = Array.from({ length: IDENTITIES });
  readonly #hashes = new Int32Array(IDENTITIES);
  readonly #lengths = new Uint16Array(IDENTITIES);
  readonly #words = new Int32Array((IDENTITIES * SLOT) / 4);
  readonly #none: KnownIdentity;

  constructor(composer: StepComposer, identities: Identities) {
    this.#composer = composer;
    this.#identities = identities;
    this.#none = this.#learn(NOTHING);
  }

  /** The identity that was scanned, settled for `origin`. */
  find(bytes: Buffer, scan: StepScan, origin: Origin): KnownIdentity {
    const known = this.#look(bytes, scan);
    if (known.origin !== origin) {
      known.origin = origin;
      known.settled = this.#composer.settled(known.line, origin);
    }
    return known;
  }

  #look(bytes: Buffer, scan: StepScan): KnownIdentity {
    const { identityStart, identityEnd, identityHash } = scan;
    const length = identityEnd - identityStart;
    if (length === 0) return this.#none;
    let place = identityHash & (IDENTITIES - WAYS);
    for (const last = place + WAYS - 1; ; place++) {
      const held = this.#lengths[place]!;
      if (held === length && this.#hashes[place] === identityHash) {
        if (scan.sameWords(identityStart, length, this.#words, (place * SLOT) / 4)) return this.#table[place]!;
      }
      if (held === 0 || place === last) break;
    }
    const own = bytes.subarray(identityStart, identityEnd);
    const learnt = this.#learn(own);
    this.#table[place] = learnt;
    this.#hashes[place] = identityHash;
    this.#lengths[place] = length;
    new Uint8Array(this.#words.buffer).set(own, place * SLOT);
    return learnt;
  }

  #learn(bytes: Uint8Array): KnownIdentity {
    const own = Buffer.from(bytes);
    const text = own.length === 0 ? '{}' : `{${own.latin1Slice(2)}"}`;
    const { execution_id = '', task_name = '', project = '', domain = '' } = JSON.parse(text) as Record<string, string>;
    const line = this.#identities.of(execution_id, task_name, project, domain);
    return { line, origin: undefined, settled: undefined };
  }
}

/** An identity with more bytes is for the reference path. */
export const LONGEST_IDENTITY = SLOT;

import type { Origin } from '../../origin.ts';
import type { Settled, StepComposer } from './compose.ts';
import type { Identities } from './identities.ts';
import type { LineIdentity } from './identity.ts';
import { Literal } from './literal.ts';
import type { StepScan } from './scan.ts';

/** An identity by the bytes of its four members, with what it came to on the origin that it was last seen on. */
export interface KnownIdentity {
  readonly hash: number;
  readonly bytes: Literal;
  readonly line: LineIdentity;
  origin: Origin | undefined;
  settled: Settled | undefined;
  /** The columns of identity and origin, and what stands behind all others. */
  columns: Uint8Array;
  end: Uint8Array;
}

/** An identity stands at one of WAYS places by its hash. When all are taken, the last of them goes: executions end. */
const IDENTITIES = 8_192;
const WAYS = 8;
const NOTHING = new Uint8Array(0);

/** The identities of lines that come again and again, found without making a string. */
export class KnownIdentities {
  readonly #composer: StepComposer;
  readonly #identities: Identities;
  readonly #table: (KnownIdentity | undefined)[] = Array.from({ length: IDENTITIES });
  readonly #none: KnownIdentity;

  constructor(composer: StepComposer, identities: Identities) {
    this.#composer = composer;
    this.#identities = identities;
    this.#none = this.#learn(NOTHING, 0);
  }

  /** The identity that was scanned, settled for `origin`. */
  find(bytes: Buffer, scan: StepScan, origin: Origin): KnownIdentity {
    const known = this.#look(bytes, scan);
    if (known.origin !== origin) {
      const settled = this.#composer.settled(known.line, origin);
      known.origin = origin;
      known.settled = settled;
      known.columns = Buffer.from(settled.identity.fragment + origin.fragment, 'latin1');
      known.end = Buffer.from(ending(settled), 'latin1');
    }
    return known;
  }

  #look(bytes: Buffer, scan: StepScan): KnownIdentity {
    const { identityStart, identityEnd, identityHash } = scan;
    if (identityStart === identityEnd) return this.#none;
    const table = this.#table;
    let place = identityHash & (IDENTITIES - WAYS);
    for (const last = place + WAYS - 1; ; place++) {
      const known = table[place];
      if (known !== undefined && known.hash === identityHash && scan.same(identityStart, identityEnd, known.bytes)) {
        return known;
      }
      if (known === undefined || place === last) break;
    }
    const learnt = this.#learn(bytes.subarray(identityStart, identityEnd), identityHash);
    table[place] = learnt;
    return learnt;
  }

  #learn(bytes: Uint8Array, hash: number): KnownIdentity {
    const own = Buffer.from(bytes);
    const text = own.length === 0 ? '{}' : `{${own.latin1Slice(2)}"}`;
    const { execution_id = '', task_name = '', project = '', domain = '' } = JSON.parse(text) as Record<string, string>;
    const line = this.#identities.of(execution_id, task_name, project, domain);
    return {
      hash,
      bytes: new Literal(own),
      line,
      origin: undefined,
      settled: undefined,
      columns: NOTHING,
      end: NOTHING,
    };
  }
}

/** What ends a row. */
export function ending({ identity: { provenance } }: Settled): string {
  return provenance === '' ? '}' : `,"provenance":"${provenance}"}`;
}

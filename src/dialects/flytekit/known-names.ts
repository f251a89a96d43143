import { KIND, LONGEST_KEPT, type Named, type StepComposer } from './compose.ts';
import { Literal } from './literal.ts';
import type { StepScan } from './scan.ts';
import { WITH_TARGET } from './steps.ts';

/** A name of a step by its bytes, with its columns made. */
export interface KnownName {
  readonly hash: number;
  readonly bytes: Literal;
  readonly name: Named;
  /** What stands between the times and `wall_time_s`, for a success and for an error; of a prefixed name, what stands behind the URI. */
  readonly success: Uint8Array;
  readonly error: Uint8Array;
  readonly prefix: Prefix | undefined;
}

/** Of a name that ends in a URI: what stands before that, and the columns before the name as written. */
interface Prefix {
  readonly text: string;
  readonly before: Uint8Array;
}

/** A name stands at one of WAYS places by its hash. When all are taken, the last of them goes. */
const NAMES = 1_024;
const WAYS = 8;

/** The names that come again and again, found without making a string. */
export class KnownNames {
  readonly #composer: StepComposer;
  readonly #table: (KnownName | undefined)[] = Array.from({ length: NAMES });
  readonly #prefixed: readonly KnownName[];

  constructor(composer: StepComposer) {
    this.#composer = composer;
    this.#prefixed = WITH_TARGET.map(([text, step]) => ({
      hash: 0,
      bytes: new Literal(new Uint8Array(0)),
      name: { ...composer.name(text), step, target: '' },
      success: Buffer.from('","status":"success","wall_time_s":'),
      error: Buffer.from('","status":"error","wall_time_s":'),
      prefix: { text, before: Buffer.from(`"${KIND},"step":"${step}","step_raw":"`) },
    }));
  }

  /** The name that was scanned; undefined for a user's own name with a URI, which is for the reference path. */
  find(bytes: Buffer, scan: StepScan): KnownName | undefined {
    const { stepStart, stepEnd, stepHash } = scan;
    const table = this.#table;
    let place = stepHash & (NAMES - WAYS);
    for (const last = place + WAYS - 1; ; place++) {
      const known = table[place];
      if (known !== undefined && known.hash === stepHash && scan.same(stepStart, stepEnd, known.bytes)) return known;
      if (known === undefined || place === last) break;
    }
    const raw = bytes.latin1Slice(stepStart, stepEnd);
    for (const prefixed of this.#prefixed) {
      if (raw.startsWith(prefixed.prefix!.text)) return this.#composer.private(raw) ? undefined : whole(raw, prefixed);
    }
    if (raw.length > LONGEST_KEPT) return undefined;
    const name = this.#composer.name(raw);
    if (name.target !== '') return undefined;
    const learnt: KnownName = {
      hash: stepHash,
      bytes: new Literal(bytes.subarray(stepStart, stepEnd)),
      name,
      success: Buffer.from(`"${name.fragment}"success","wall_time_s":`, 'latin1'),
      error: Buffer.from(`"${name.fragment}"error","wall_time_s":`, 'latin1'),
      prefix: undefined,
    };
    table[place] = learnt;
    return learnt;
  }
}

/** The prefixed name, unless there are blanks at the ends of the URI, or there is none. */
function whole(raw: string, prefixed: KnownName): KnownName | undefined {
  const { length } = prefixed.prefix!.text;
  return raw.length > length && raw.charCodeAt(length) !== 0x20 && !raw.endsWith(' ') ? prefixed : undefined;
}

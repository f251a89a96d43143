import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy.ts';
import type { RowsBuilder } from '../../rows.ts';
import { storable } from '../../time.ts';
import type { Times } from '../when.ts';
import type { Named, Settled, StepComposer } from './compose.ts';
import type { Identities } from './identities.ts';
import type { LineIdentity } from './identity.ts';
import { hasTarget } from './steps.ts';
import { Literal } from './literal.ts';
import { StepScan } from './scan.ts';
import { readTail, type Tail } from './tail.ts';

/** A step that failed. */
export interface Failed {
  readonly identity: LineIdentity;
  readonly ts_us: number;
}

/** A name of a step by its bytes. */
interface KnownName {
  readonly hash: number;
  readonly bytes: Literal;
  readonly name: Named;
  /** What stands between the times and `wall_time_s`, for a success and for an error. */
  readonly success: Uint8Array;
  readonly error: Uint8Array;
}

/** An identity by the bytes of its four members, with what it came to on the origin that it was last seen on. */
interface KnownIdentity {
  readonly hash: number;
  readonly bytes: Literal;
  readonly line: LineIdentity;
  origin: Origin | undefined;
  settled: Settled | undefined;
  /** The columns of identity and origin, and what goes behind all others, for a line with its own time. */
  columns: Uint8Array;
  end: Uint8Array;
}

/** Known names and identities stand in tables, each at one of WAYS places by its hash. When all are taken, one of them goes. */
const NAMES = 1_024;
const IDENTITIES = 8_192;
const WAYS = 8;
const PROCESS = Buffer.from(',"process_time_s":');
const START = Buffer.from('","ts_start":"');
const TS = Buffer.from('{"ts":"');
const NOTHING = new Uint8Array(0);
/** Room for a row beside its fragments and its tail: times, numbers, keys. */
const ROOM = 512;

/**
 * The fast path of the common line: the row is put together from the line's own bytes and from fragments made once, without a string per field. What it
 * does not know it asks the composer, so that both paths say the same.
 */
export class FastSteps {
  readonly #scan = new StepScan();
  readonly #composer: StepComposer;
  readonly #identities: Identities;
  readonly #times: Times;
  readonly #privacy: Privacy;
  readonly #none: KnownIdentity;
  readonly #names: (KnownName | undefined)[] = Array.from({ length: NAMES });
  readonly #known: (KnownIdentity | undefined)[] = Array.from({ length: IDENTITIES });
  /** Set by `take`: who the step was about, if it failed. */
  failed: Failed | undefined;

  constructor(composer: StepComposer, identities: Identities, times: Times, privacy: Privacy) {
    this.#composer = composer;
    this.#identities = identities;
    this.#times = times;
    this.#privacy = privacy;
    this.#none = this.#identity(NOTHING, 0, 0, 0);
  }

  /**
   * Writes the step in `[start, end)` as a row, and says true; or false, with nothing written. `time`, `timeEnd`: where the runtime's timestamp stands in the
   * same bytes, equal if nowhere.
   */
  take(
    bytes: Buffer,
    start: number,
    end: number,
    time: number,
    timeEnd: number,
    origin: Origin,
    to: RowsBuilder,
  ): boolean {
    const scan = this.#scan;
    if (!scan.scan(bytes, start, end)) return false;
    const plain = scan.tail === end - 1;
    const tail = plain ? undefined : readTail(bytes.latin1Slice(scan.tail, end), this.#privacy);
    if (!plain && tail === undefined) return false;
    let ts_us = scan.local_us;
    if (!this.#times.sameMinute(bytes, scan.asctime, time, timeEnd)) {
      const when = this.#times.ofLocal(ts_us, bytes.latin1Slice(time, timeEnd));
      if (when.from !== 'line') return false;
      ts_us = when.us;
    }
    const known = this.#name(bytes);
    const name =
      known === undefined ? this.#composer.name(bytes.latin1Slice(scan.stepStart, scan.stepEnd)) : known.name;
    const who = scan.identityStart === scan.identityEnd ? this.#none : this.#who(bytes);
    const start_us = ts_us - Math.round(scan.wall_time_s * 1e6);
    const isError = scan.errorEnd > scan.errorStart;

    to.reserve(ROOM + (end - start) * 6);
    to.put(TS);
    to.time(ts_us);
    if (storable(start_us)) {
      to.put(START);
      to.time(start_us);
    }
    if (known !== undefined) to.put(isError ? known.error : known.success);
    else to.text(`"${name.fragment}"${isError ? 'error' : 'success'}","wall_time_s":`);
    to.copy(bytes, scan.wallStart, scan.wallEnd);
    to.put(PROCESS);
    to.copy(bytes, scan.processStart, scan.processEnd);
    if (isError) {
      to.text(',"error_type":"');
      to.copy(bytes, scan.errorStart, scan.errorEnd);
      to.text('"');
    }
    const settled = this.#columns(to, who, origin, name);
    if (tail !== undefined || name.attribute !== '') writeTail(to, tail, name.attribute);
    if (settled === who.settled) to.put(who.end);
    else to.text(ending(settled));
    to.end(this.#composer.tuple(name, isError ? 'error' : 'success', settled), scan.wall_time_s);
    this.failed = isError ? { identity: who.line, ts_us } : undefined;
    return true;
  }

  /** Writes the columns of identity and origin, and gives what they came from. */
  #columns(to: RowsBuilder, who: KnownIdentity, origin: Origin, name: Named): Settled {
    const plain = this.#settle(who, origin);
    if (name.target === '') {
      to.reserve(ROOM + who.columns.length);
      to.put(who.columns);
      return plain;
    }
    const settled = this.#composer.settle(who.line, origin, name);
    const columns = settled.identity.fragment + origin.fragment;
    to.reserve(ROOM + columns.length);
    to.text(columns);
    return settled;
  }

  /** The name in the line, if it is one of those that come again and again; undefined for one with a target. */
  #name(bytes: Buffer): KnownName | undefined {
    const { stepStart, stepEnd, stepHash } = this.#scan;
    const names = this.#names;
    let place = stepHash & (NAMES - WAYS);
    for (const last = place + WAYS - 1; ; place++) {
      const known = names[place];
      if (known !== undefined && known.hash === stepHash && this.#scan.same(stepStart, stepEnd, known.bytes))
        return known;
      if (known === undefined || place === last) break;
    }
    const raw = bytes.latin1Slice(stepStart, stepEnd);
    if (hasTarget(raw)) return undefined;
    const name = this.#composer.name(raw);
    if (name.target !== '') return undefined;
    const learnt: KnownName = {
      hash: stepHash,
      bytes: new Literal(bytes.subarray(stepStart, stepEnd)),
      name,
      success: Buffer.from(`"${name.fragment}"success","wall_time_s":`, 'latin1'),
      error: Buffer.from(`"${name.fragment}"error","wall_time_s":`, 'latin1'),
    };
    names[place] = learnt;
    return learnt;
  }

  #who(bytes: Buffer): KnownIdentity {
    const { identityStart, identityEnd, identityHash } = this.#scan;
    const table = this.#known;
    let place = identityHash & (IDENTITIES - WAYS);
    for (const last = place + WAYS - 1; ; place++) {
      const known = table[place];
      if (
        known !== undefined &&
        known.hash === identityHash &&
        this.#scan.same(identityStart, identityEnd, known.bytes)
      )
        return known;
      if (known === undefined || place === last) break;
    }
    const learnt = this.#identity(bytes, identityStart, identityEnd, identityHash);
    table[place] = learnt;
    return learnt;
  }

  #identity(bytes: Uint8Array, start: number, end: number, hash: number): KnownIdentity {
    const own = Buffer.from(bytes.subarray(start, end));
    const text = end === start ? '{}' : `{${own.latin1Slice(2)}"}`;
    const said = JSON.parse(text) as Record<string, string>;
    const { execution_id = '', task_name = '', project = '', domain = '' } = said;
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

  #settle(who: KnownIdentity, origin: Origin): Settled {
    if (who.origin !== origin) {
      const settled = this.#composer.settled(who.line, origin);
      who.origin = origin;
      who.settled = settled;
      who.columns = Buffer.from(settled.identity.fragment + origin.fragment, 'latin1');
      who.end = Buffer.from(ending(settled), 'latin1');
    }
    return who.settled!;
  }
}

/** A row that has a tail may be larger than what was reserved: params are redacted, escapes grow. */
function writeTail(to: RowsBuilder, tail: Tail | undefined, attribute: string): void {
  const { params = '', attributes: extras = '' } = tail ?? {};
  const attributes = attribute === '' || extras === '' ? attribute + extras : `${attribute},${extras}`;
  to.reserve(ROOM + params.length + attributes.length);
  if (params !== '') to.text(`,"params":${params}`);
  if (attributes !== '') to.text(`,"attributes":{${attributes}}`);
}

function ending({ identity: { provenance } }: Settled): string {
  return provenance === '' ? '}' : `,"provenance":"${provenance}"}`;
}

import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { RowsBuilder } from '../../rows.ts';
import { storable } from '../../time.ts';
import type { Times } from '../when.ts';
import { FLYTEKIT, type Rest, type Settled, type StepComposer } from './compose.ts';
import type { Identities } from './identities.ts';
import type { LineIdentity } from './identity.ts';
import { KnownIdentities, LONGEST_IDENTITY } from './known-identities.ts';
import { KnownNames } from './known-names.ts';
import { StepScan } from './scan.ts';
import { readTail, type Tail } from './tail.ts';

/** A step that failed. */
export interface Failed {
  readonly identity: LineIdentity;
  readonly ts_us: number;
}

const TS = Buffer.from('{"ts":"');
const START = Buffer.from('","ts_start":"');
const STEP_TARGET = Buffer.from('","step_target":"');
const PROCESS = Buffer.from(',"process_time_s":');
/** Room for a row beside what comes from its line: times, keys, a known name. */
const ROOM = 1_024;

/**
 * The fast path of the common line: the row is put together from the line's own bytes and from fragments made once, without a string for each field.
 * What it does not know it asks the composer, so that both paths say the same.
 */
export class FastSteps {
  readonly #scan = new StepScan();
  readonly #composer: StepComposer;
  readonly #times: Times;
  readonly #privacy: Privacy;
  readonly #names: KnownNames;
  readonly #identities: KnownIdentities;
  /** Set by `take`: who the step was about, if it failed. */
  failed: Failed | undefined;

  constructor(composer: StepComposer, identities: Identities, times: Times, privacy: Privacy) {
    this.#composer = composer;
    this.#times = times;
    this.#privacy = privacy;
    this.#names = new KnownNames(composer);
    this.#identities = new KnownIdentities(composer, identities);
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
    lines: number,
  ): boolean {
    const scan = this.#scan;
    if (!scan.scan(bytes, start, end) || scan.identityEnd - scan.identityStart > LONGEST_IDENTITY) return false;
    const plain = scan.tail === end - 1;
    const tail = plain ? undefined : readTail(bytes.latin1Slice(scan.tail, end), this.#privacy);
    if (!plain && tail === undefined) return false;
    const ts_us = this.#time(bytes, time, timeEnd);
    const known = this.#names.find(bytes, scan);
    if (known === undefined || Number.isNaN(ts_us)) return false;
    const { name, prefix } = known;
    const who = this.#identities.find(bytes, scan, origin);
    const isError = scan.errorEnd > scan.errorStart;

    to.reserve(ROOM + known.error.length + 2 * (end - start));
    to.put(TS);
    to.time(ts_us);
    const start_us = ts_us - Math.round(scan.wall_time_s * 1e6);
    if (storable(start_us)) {
      to.put(START);
      to.time(start_us);
    }
    if (prefix !== undefined) {
      to.put(prefix.before);
      to.put(bytes.subarray(scan.stepStart, scan.stepEnd));
      to.put(STEP_TARGET);
      to.put(bytes.subarray(scan.stepStart + prefix.text.length, scan.stepEnd));
    }
    to.put(isError ? known.error : known.success);
    to.copy(bytes, scan.wallStart, scan.wallEnd);
    to.put(PROCESS);
    to.copy(bytes, scan.processStart, scan.processEnd);
    if (isError) {
      to.text(',"error_type":"');
      to.copy(bytes, scan.errorStart, scan.errorEnd);
      to.text('"');
    }
    const { line } = who;
    let settled = who.settled!;
    if (prefix !== undefined) {
      const target = bytes.latin1Slice(scan.stepStart + prefix.text.length, scan.stepEnd);
      settled = this.#composer.settle(line, origin, target);
    }
    const { bytes: rest, columns } = (settled.rest ??= rowEnd(settled, origin));
    to.reserve(rest.length + 1);
    if (tail === undefined && name.attribute === '' && lines === 1) to.put(rest);
    else {
      to.put(rest.subarray(0, columns));
      writeLast(to, tail, name.attribute, lines);
      to.reserve(rest.length + 1);
      to.put(rest.subarray(columns));
    }
    to.end(this.#composer.tuple(name, isError ? 'error' : 'success', settled), scan.wall_time_s);
    this.failed = isError ? { identity: line, ts_us } : undefined;
    return true;
  }

  /** The line's own time in UTC; NaN where that is for the reference path to settle. */
  #time(bytes: Buffer, time: number, timeEnd: number): number {
    const { local_us, asctime } = this.#scan;
    if (this.#times.sameMinute(bytes, asctime, time, timeEnd)) return local_us;
    const when = this.#times.ofLocal(local_us, bytes.latin1Slice(time, timeEnd));
    return when.from === 'line' ? when.us : Number.NaN;
  }
}

/** The columns of identity and origin, and what ends a row with nothing between them. */
function rowEnd({ identity: { fragment, provenance } }: Settled, origin: Origin): Rest {
  const columns = fragment + origin.of(FLYTEKIT);
  const end = provenance === '' ? '}' : `,"provenance":"${provenance}"}`;
  return { bytes: Buffer.from(columns + end, 'latin1'), columns: columns.length };
}

/** Params are redacted and escapes grow: a tail may come out longer than it went in. */
function writeLast(to: RowsBuilder, tail: Tail | undefined, attribute: string, lines: number): void {
  const { params = '', attributes: extras = '' } = tail ?? {};
  const attributes = attribute === '' || extras === '' ? attribute + extras : `${attribute},${extras}`;
  const text =
    (params === '' ? '' : `,"params":${params}`) + (attributes === '' ? '' : `,"attributes":{${attributes}}`);
  const last = lines === 1 ? text : `${text},"lines":${lines}`;
  to.reserve(last.length);
  to.text(last);
}

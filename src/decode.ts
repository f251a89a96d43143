import type { Batch, Position, Rows, Table, Tuple } from './batch.ts';
import { decodeUtf8, encodeUtf8 } from './bytes.ts';
import type { Clock } from './clock.ts';
import { bump, newCounts, type ReadCounts } from './counters.ts';
import { deadLetterRow } from './delivery/dead-letter.ts';
import type { Custom } from './dialects/custom/custom.ts';
import type { CustomEvents } from './dialects/custom/index.ts';
import type { Dialect, Emit, Line } from './dialects/dialect.ts';
import { Flytekit } from './dialects/flytekit/index.ts';
import { LogDialect } from './dialects/log/index.ts';
import type { RepeatOptions } from './dialects/log/repeat-options.ts';
import { SourceMemory } from './dialects/memory.ts';
import { DIALECTS } from './dialects/registry.ts';
import { Steptap } from './dialects/steptap/index.ts';
import type { Times } from './dialects/when.ts';
import type { EventTypes } from './event-types/index.ts';
import type { EventTable } from './fields.ts';
import { LineCutter, type Chunk, type LongLine } from './framing/lines.ts';
import { Partials } from './framing/partials.ts';
import { Prefixes } from './framing/prefix.ts';
import { unwrap, type Unwrapped } from './framing/record.ts';
import { Joins } from './joins.ts';
import type { KubernetesRules } from './kubernetes/rules.ts';
import { objectEnd, parseObject, tooMuch } from './json.ts';
import type { Observer } from './observer.ts';
import { NOWHERE, type Constants, type Origin, type OriginFields, type Origins } from './origin.ts';
import { Privacy } from './privacy/index.ts';
import type { PrivacyOptions } from './privacy/rules.ts';
import { withRules } from './privacy/with-rules.ts';
import { Slabs } from './slabs.ts';
import type { ByteSource } from './sources/source.ts';
import { Tools } from './tools.ts';
import type { Zone } from './zone.ts';

export interface DecodeOptions {
  readonly constants: Constants;
  readonly privacy: PrivacyOptions;
  /** Zone of timestamps that name none. */
  readonly zone: Zone;
  readonly max_line_bytes: number;
  /** False: events of kind `log` are counted and not stored. */
  readonly logs: boolean;
  /** Of lines that say the same over and over, how many are stored. */
  readonly repeats?: RepeatOptions | undefined;
  /** Dialects whose lines are read like any others: `flytekit`, those of DIALECTS. */
  readonly disabled?: ReadonlySet<string>;
  /** False: every line goes to the reference decoder. */
  readonly fast: boolean;
  /** Told of every line what is done with it and why; of those on the fast path nothing. */
  readonly tell?: Observer | undefined;
  /** How Kubernetes metadata becomes fields. */
  readonly kubernetes?: KubernetesRules | undefined;
  /** The pod that steptap runs in, for sources whose lines are written there. */
  readonly own?: OriginFields | undefined;
  /** What a user described: lines of JSON that no other dialect knows. */
  readonly events?: CustomEvents | undefined;
  /** What it declares of the events of other dialects. */
  readonly types?: EventTypes | undefined;
}

/** Told of every row that is no step, as it is made: its table, and how many steps of the batch stand before it. So the order of all rows is known, and steps cost nothing. */
export type Noted = (table: Exclude<Table, 'steps'>, steps: number) => void;

/** What a decoder reads for. */
export type Decoded = Pick<ByteSource, 'name' | 'position' | 'framing' | 'own'>;

/** Where a decoder begins. */
export interface Start {
  /** Of the first line that it is fed, in the source. */
  readonly offset: number;
  /** The last position of the decoder before it, whose joins it goes on with. */
  readonly from?: Position | undefined;
  /** What the source remembers: see Batch.state. */
  readonly state?: ReadonlyMap<string, string> | undefined;
}

/**
 * What is let go of, beside what is whole: `quiet`, the events whose streams say nothing more; `all`, everything, since the input has ended; `nothing`,
 * since reading goes on another time: what is open stands in the position.
 */
export type LetGo = 'quiet' | 'all' | 'nothing';

/** Of a line that cannot be read. */
interface Claim {
  readonly dialect: string;
  /** For a person. */
  readonly what: string;
}

/** A key in JSON, or in what was JSON. */
const KEY = /"\s*:/;

/** An unfinished event is let go when its stream says nothing more for so long. */
const QUIET_MS = 1_000;

/** JSON that is longer is looked at before it is parsed: a megabyte of brackets or keys becomes thirty of objects. */
const LARGE_JSON = 64 << 10;

/** So much of a request is decoded at a time: some 10 ms. */
export const REQUEST_PIECE = 256 << 10;

const NO_BYTES = Buffer.alloc(0);
const NOTHING: ReadonlyMap<string, string> = new Map();

/** More records than this on one line are no accident of two writers; and every one costs a look at all that follow. */
const MOST_RECORDS = 32;

/**
 * Makes batches of a source's lines: framing, dialect, privacy. Lines in, rows out; nothing is thrown for what a line contains.
 *
 * Every physical line is counted once: in the event or the rejection that took it, as a blank line, or in an event that is still open.
 */
export class Decoder implements Emit {
  readonly #source: Decoded;
  readonly #options: DecodeOptions;
  /** True when lines are offered to the scanner first. */
  readonly #fastest: boolean;
  readonly #noted: Noted;
  readonly #privacy: Privacy;
  readonly #origins: Origins;
  readonly #prefixes: Prefixes;
  /** Lines that the runtime cut, and lines that an agent's records cut: a record is whole before it is read. */
  readonly #partials: Partials;
  readonly #recorded: Partials;
  readonly #times: Times;
  readonly #flytekit: Flytekit;
  /** The rules of every kind of event, for what cannot be read and so may be any. */
  readonly #strictest: Privacy;
  readonly #custom: Custom | undefined;
  readonly #dialects: readonly Dialect[];
  readonly #memory: SourceMemory;
  /** Of a source that takes the rows of another steptap, and nothing else. */
  readonly #rows: Steptap | undefined;
  readonly #log: LogDialect;
  /** What of all of them is not whole yet. */
  readonly #joins: Joins;
  readonly #line: Line;
  readonly #builders: Tools['builders'];
  #counts = newCounts();
  /** Lines that the rows and blanks of this batch took. */
  #taken = 0;
  /** Records found on the line in hand, beside its first. */
  #records = 0;
  /** Offset up to which lines were read. */
  offset: number;

  constructor(
    source: Decoded,
    options: DecodeOptions,
    clock: Clock,
    slabs = new Slabs(),
    { offset, from, state }: Start = { offset: 0 },
    noted: Noted = () => {},
    tools = new Tools(options, clock, slabs),
  ) {
    this.offset = offset;
    this.#source = source;
    this.#options = options;
    const { tell } = options;
    this.#noted = noted;
    this.#builders = tools.builders;
    this.#privacy = tools.privacy;
    this.#origins = tools.origins;
    this.#prefixes = new Prefixes(this.#origins, source.framing);
    if (source.own === true && options.own !== undefined) this.#prefixes.from(options.own);
    this.#partials = new Partials(options.max_line_bytes, tell);
    this.#recorded = new Partials(options.max_line_bytes, tell);
    this.#times = tools.times;
    const enabled = (name: string): boolean => options.disabled?.has(name) !== true;
    this.#flytekit = new Flytekit(this.#times, this.#privacy, this, tools.steps, enabled('flytekit'));
    this.#fastest = options.fast && enabled('flytekit');
    this.#memory = new SourceMemory(state);
    const types = options.types?.reader(options.privacy, this.#privacy);
    const made = { times: this.#times, privacy: this.#privacy, emit: this, memory: this.#memory, types };
    this.#dialects = Object.entries(DIALECTS).flatMap(([name, make]) => (enabled(name) ? [make(made)] : []));
    this.#custom = options.events?.dialect(options.privacy, this.#privacy, this.#times, this);
    const described = [...(options.events?.events ?? []), ...(options.types?.types.values() ?? [])];
    const rules = described.map(({ privacy }) => privacy);
    this.#strictest = withRules(rules, options.privacy, this.#privacy);
    if (source.framing === 'rows')
      this.#rows = new Steptap(this.#strictest, this, options.events?.labels ?? [], options.types);
    this.#log = new LogDialect(made, this.#flytekit, this.#dialects, options.repeats);
    this.#line = { text: '', time: '', origin: this.#origins.of(NOWHERE), lines: 1, offset: 0 };
    this.#joins = new Joins(
      { cut: this.#partials, recorded: this.#recorded, log: this.#log, failures: this.#flytekit.failures },
      this.#times,
      (line, unwrapped) => this.#content(line, unwrapped),
    );
    const carry = from?.['carry'];
    if (carry !== undefined && !this.#joins.restore(carry, this.#origins)) this.#counts.unread_carries += 1;
  }

  /** True while an event is unfinished: `flush` must be called when nothing comes. */
  get open(): boolean {
    return this.#log.open;
  }

  /** What is remembered beside the position, as of now. */
  get state(): ReadonlyMap<string, string> {
    return this.#memory.entries;
  }

  /** Where another decoder can go on: what was read and is not whole yet is in it. */
  position(): Position {
    return this.#joins.position(this.#source.position(this.offset));
  }

  /** Says where the lines come from that it is fed from now on, as far as that is known beside them. */
  from(origin: OriginFields): void {
    this.#prefixes.from(origin);
  }

  /**
   * Decodes a request, which is whole in itself: nothing of it waits for another one. Offsets are within it. Between its pieces others may have their turn. Undefined when its
   * rows come to more than `most_bytes`: then this decoder is of no more use. `remembered`: what the source has committed; what this request changes of it is in its batch.
   */
  *request(
    lines: Buffer,
    most_bytes: number,
    remembered: ReadonlyMap<string, string> = NOTHING,
  ): Generator<void, { batch: Batch; counts: ReadCounts } | undefined, void> {
    this.#times.arrive();
    this.#memory.begin(remembered);
    const cutter = new LineCutter(this.#options.max_line_bytes);
    for (let at = 0; at < lines.length; at += REQUEST_PIECE) {
      if (at > 0) yield;
      for (const chunk of cutter.push(lines.subarray(at, at + REQUEST_PIECE))) this.#chunk(chunk);
      if (Object.values(this.#builders).reduce((sum, { length }) => sum + length, 0) > most_bytes) return undefined;
    }
    for (const chunk of cutter.end()) this.#chunk(chunk);
    return this.flush('all');
  }

  /** A dead letter of what a request begins with that cannot be decoded. */
  refuse(reason: string, detail: string, head: Buffer): { batch: Batch; counts: ReadCounts } {
    this.#times.arrive();
    this.#prefixes.strip(NO_BYTES, 0, 0);
    const line = {
      ...this.#line,
      text: head.latin1Slice(),
      time: '',
      origin: this.#prefixes.origin,
      lines: 1,
      offset: 0,
    };
    this.#counts.lines += 1;
    this.#counts.bytes += head.length;
    this.#rejectRaw(reason, detail, '', line, line.text, true);
    return this.flush('all');
  }

  /** Decodes whole lines, and gives what they became. */
  feed(chunk: Chunk): { batch: Batch; counts: ReadCounts } {
    this.#times.arrive();
    this.#chunk(chunk);
    if (this.#log.open) this.#log.flush(this.#times.monotonic() - QUIET_MS);
    if (this.#joins.count > 1) this.#joins.bound();
    return this.#cut();
  }

  flush(what: LetGo): { batch: Batch; counts: ReadCounts } {
    this.#times.arrive();
    if (what === 'all') {
      for (const line of this.#partials.rest()) this.#content(line);
      for (const line of this.#recorded.rest()) this.#content(line, true);
    }
    if (what !== 'nothing') {
      this.#log.flush(what === 'all' ? Number.POSITIVE_INFINITY : this.#times.monotonic() - QUIET_MS);
    }
    return this.#cut();
  }

  event(table: EventTable, row: string, tuple: Tuple, duration: number, lines: number): void {
    this.#taken += lines;
    if (table !== 'steps') this.#noted(table, this.#builders.steps.count);
    this.#builders[table].add(row, tuple, duration);
    this.#options.tell?.became({ table, row });
  }

  get logs(): boolean {
    return this.#options.logs;
  }

  filtered(kind: string, lines: number): void {
    this.#taken += lines;
    bump(this.#counts.filtered, kind);
    this.#options.tell?.became({ filtered: kind });
  }

  reject(reason: string, detail: string, dialect: string, line: Line): void {
    this.#rejectRaw(reason, detail, dialect, line, line.text, false);
  }

  blank(lines: number): void {
    this.#taken += lines;
    this.#counts.blank += lines;
    this.#options.tell?.became({ blank: lines });
  }

  #chunk(chunk: Chunk): void {
    if ('head' in chunk) this.#tooLong(chunk);
    else this.#lines(chunk.bytes, chunk.offset);
  }

  #lines(bytes: Buffer, offset: number): void {
    const prefixes = this.#prefixes;
    const fast = this.#fastest;
    let start = 0;
    let read = 0;
    while (start < bytes.length) {
      let end = bytes.indexOf(10, start);
      if (end === -1) end = bytes.length;
      const stop = end > start && bytes[end - 1] === 13 ? end - 1 : end;
      read++;
      const partial = prefixes.strip(bytes, start, stop);
      if (partial || !fast || this.#unfinished(prefixes.origin) || !this.#fast(bytes, stop)) {
        this.#slow(bytes, start, stop, offset, partial);
      }
      start = end + 1;
    }
    this.#counts.lines += read;
    this.#counts.bytes += bytes.length;
    this.offset = offset + bytes.length;
  }

  /** True while something of this stream waits for its next line. */
  #unfinished(origin: Origin): boolean {
    return this.#log.openAt(origin) || this.#partials.has(origin);
  }

  #fast(bytes: Buffer, stop: number): boolean {
    const { content, time, timeEnd, origin } = this.#prefixes;
    const taken = this.#flytekit.fast(bytes, content, stop, time, timeEnd, origin, this.#builders.steps);
    if (taken) this.#taken += 1;
    return taken;
  }

  #slow(bytes: Buffer, start: number, stop: number, offset: number, partial: boolean): void {
    if (this.#options.tell !== undefined) this.#prefixes.tell(bytes, start, this.#options.tell);
    const line = this.#line;
    line.text = bytes.latin1Slice(this.#prefixes.content, stop);
    line.time = this.#prefixes.timeText(bytes);
    line.origin = this.#prefixes.origin;
    line.lines = 1;
    line.offset = offset + start;
    if (partial) this.#hold(line, false);
    else this.#joined(line, false);
  }

  #hold(line: Line, unwrapped: boolean): void {
    for (const gone of (unwrapped ? this.#recorded : this.#partials).hold(line)) this.#content(gone, unwrapped);
  }

  /** A line that ends here, with what its stream said of it before. */
  #joined(line: Line, unwrapped: boolean): void {
    const partials = unwrapped ? this.#recorded : this.#partials;
    if (!partials.has(line.origin)) this.#content(line, unwrapped);
    else if (partials.close(line) > this.#options.max_line_bytes) this.#joinedTooLong(line);
    else if (!this.#fastest || !this.#fastJoined(line)) this.#content(line, unwrapped);
  }

  /** The fast path for a line that was put together: its bytes, with the runtime's timestamp before them as in a file. */
  #fastJoined(line: Line): boolean {
    if (this.#log.openAt(line.origin)) return false;
    const bytes = Buffer.from(`${line.time} ${line.text}`, 'latin1');
    const time = line.time.length;
    const steps = this.#builders.steps;
    if (!this.#flytekit.fast(bytes, time + 1, bytes.length, 0, time, line.origin, steps, line.lines)) return false;
    this.#taken += line.lines;
    return true;
  }

  /** A line behind its framing, the slow way. `unwrapped`: it was in an agent's record. */
  #content(line: Line, unwrapped = false): void {
    if (!unwrapped) this.#records = 0;
    const { text } = line;
    if (text.charCodeAt(0) === 0x7b) {
      const decoded = decodeUtf8(text);
      const beyond = decoded.length > LARGE_JSON ? tooMuch(decoded) : undefined;
      if (beyond !== undefined) {
        this.#rejectRaw('json_too_large', beyond, '', line, line.text.slice(0, 4096), true);
        return;
      }
      const value = parseObject(decoded);
      if (value !== undefined) {
        this.#object(value, decoded, line, unwrapped);
        return;
      }
      const claimed = this.#claimed(decoded);
      if (claimed !== undefined) {
        this.#broken(decoded, line, claimed);
        return;
      }
    } else if (this.#flytekit.claims(text)) {
      this.#embedded(decodeUtf8(text), line);
      return;
    }
    this.#text(decodeUtf8(text), line);
  }

  #text(decoded: string, line: Line): void {
    const { events, types } = this.#options;
    const any = (events !== undefined || types !== undefined) && KEY.test(decoded);
    this.#log.text(any ? this.#strictest.line(decoded) : decoded, line);
  }

  /** What a line that is no JSON says it is. */
  #claimed(decoded: string): Claim | undefined {
    if (this.#flytekit.claims(decoded)) return { dialect: 'flytekit', what: 'a step' };
    const event = this.#custom?.claims(decoded);
    if (event !== undefined) return { dialect: 'custom', what: event };
    for (const dialect of this.#dialects) {
      const what = dialect.claims?.(decoded);
      if (what !== undefined) return { dialect: dialect.name, what };
    }
    return undefined;
  }

  #object(value: Record<string, unknown>, decoded: string, line: Line, unwrapped: boolean): void {
    if (this.#rows !== undefined) {
      this.#rows.take(value, decoded, line);
      return;
    }
    const record = unwrapped ? 'none' : this.#unwrap(value, line);
    if (record === 'none' || record === 'merged') {
      this.#options.tell?.reads(decoded, record === 'merged' ? 'merged' : 'object');
    }
    if (record === 'partial') {
      this.#hold(line, true);
    } else if (record === 'line') {
      this.#joined(line, true);
    } else if (this.#flytekit.step(value, decoded, line, record === 'merged')) {
      this.#log.stepped(value, line.origin);
    } else if (this.#custom?.take(value, decoded, line, record === 'merged') === true) {
      this.#log.interrupt(line.origin);
    } else if (this.#dialects.some((dialect) => dialect.take?.(value, decoded, line, record === 'merged') === true)) {
      this.#log.interrupt(line.origin);
    } else {
      this.#log.json(value, decoded, line, record === 'merged');
    }
  }

  #unwrap(value: Record<string, unknown>, line: Line): Unwrapped {
    const { framing = 'any' } = this.#source;
    // Behind the runtime's prefix, or where none is written, a record is somebody's line.
    if (framing === 'none' || (framing === 'cri' && line.time !== '')) return 'none';
    return unwrap(value, line, this.#origins, { docker: framing === 'cri', tell: this.#options.tell });
  }

  /** Claims to be a step and is not JSON: cut short, or another writer wrote behind it on the same line. */
  #broken(decoded: string, line: Line, { dialect, what }: Claim): void {
    const end = objectEnd(decoded, 0);
    const value = end === -1 ? undefined : parseObject(decoded.slice(0, end));
    if (value === undefined) {
      this.reject('json_syntax', `says it is ${what} and is not valid JSON`, dialect, line);
      return;
    }
    this.#object(value, decoded.slice(0, end), line, true);
    this.#rest(decoded.slice(end), line, dialect);
  }

  /** Something was written before a step on the same line: a progress bar, the end of a print. */
  #embedded(decoded: string, line: Line): void {
    const start = decoded.indexOf('{"asctime": "');
    const end = start === -1 ? -1 : objectEnd(decoded, start);
    const value = end === -1 ? undefined : parseObject(decoded.slice(start, end));
    if (value === undefined) {
      // Without its beginning it is somebody's text about a step.
      if (start === -1) this.#text(decoded, line);
      else this.reject('json_syntax', 'has a step in it that is not valid JSON', 'flytekit', line);
      return;
    }
    const whole = line.lines;
    line.lines = 0;
    this.#text(decoded.slice(0, start), line);
    line.lines = whole;
    this.#object(value, decoded.slice(start, end), line, true);
    this.#rest(decoded.slice(end), line, 'flytekit');
  }

  /** What stands behind a step on its line; the line itself is the step's. */
  #rest(decoded: string, line: Line, dialect: string): void {
    if (decoded.trim() === '') return;
    line.lines = 0;
    line.text = encodeUtf8(decoded);
    if (++this.#records <= MOST_RECORDS) this.#content(line, true);
    else this.reject('json_syntax', `what follows the first ${MOST_RECORDS} records on its line`, dialect, line);
  }

  #tooLong({ head, offset, length, ended, cut_short }: LongLine): void {
    const line = this.#line;
    this.#prefixes.strip(head, 0, head.length);
    if (this.#options.tell !== undefined) this.#prefixes.tell(head, 0, this.#options.tell);
    line.text = head.latin1Slice(this.#prefixes.content);
    line.time = this.#prefixes.timeText(head);
    line.origin = this.#prefixes.origin;
    line.lines = 1;
    line.offset = offset;
    this.#counts.lines += 1;
    const bytes = length + (ended ? 1 : 0);
    this.#counts.bytes += bytes;
    this.offset = offset + bytes;
    if (cut_short === true) {
      this.#rejectRaw('cut_short', 'reading was stopped in the middle of the line', '', line, line.text, true);
    } else this.#rejectTooLong(line, length);
  }

  #joinedTooLong(line: Line): void {
    this.#rejectTooLong({ ...line, text: line.text.slice(0, 4096) }, undefined);
  }

  #rejectTooLong(line: Line, length: number | undefined): void {
    const size = length === undefined ? 'it' : `its ${length} bytes`;
    const detail = `longer than max_line_bytes (${this.#options.max_line_bytes}); only the beginning of ${size} was kept`;
    this.#rejectRaw('line_too_long', detail, '', line, line.text, true);
  }

  #rejectRaw(reason: string, detail: string, dialect: string, line: Line, raw: string, cut: boolean): void {
    const { namespace, pod, container, stream } = line.origin.fields;
    const known = (text: string): string | undefined => (text === '' ? undefined : text);
    const { row, tuple } = deadLetterRow({
      at_us: this.#times.arrival_us,
      reason,
      detail,
      dialect: known(dialect),
      source: this.#source.name,
      offset: line.offset,
      lines: line.lines,
      namespace: known(namespace),
      pod: known(pod),
      container: known(container),
      stream: known(stream),
      raw: this.#strictest.raw(raw),
      cut,
    });
    bump(this.#counts.rejections, reason);
    this.#taken += line.lines;
    this.#noted('rejections', this.#builders.steps.count);
    this.#builders.rejections.add(row, tuple, Number.NaN);
    this.#options.tell?.became({ table: 'rejections', row });
  }

  #cut(): { batch: Batch; counts: ReadCounts } {
    const rows: Rows[] = [];
    const counts = this.#counts;
    for (const builder of Object.values(this.#builders)) {
      const taken = builder.take();
      if (taken === undefined) continue;
      rows.push(taken);
      if (taken.table !== 'rejections') countEvents(taken, counts);
    }
    const batch = {
      source: this.#source.name,
      position: this.position(),
      carried: this.#joins.size(),
      lines: this.#taken,
      rows,
      state: this.#memory.change(),
    };
    this.#counts = newCounts();
    this.#taken = 0;
    return { batch, counts };
  }
}

/** Events by dialect and kind: by tuple first, since a table has few kinds. */
function countEvents(rows: Rows, counts: ReadCounts): void {
  const by = new Uint32Array(rows.dictionary.length);
  for (const tuple of rows.tuple) by[tuple]! += 1;
  let dialect = '';
  let kind = '';
  let run = 0;
  const add = (): void => {
    const key = `${dialect}\n${kind}`;
    if (run > 0) counts.events.set(key, (counts.events.get(key) ?? 0) + run);
    run = 0;
  };
  rows.dictionary.forEach((tuple, index) => {
    if (tuple.kind !== kind || tuple.dialect !== dialect) {
      add();
      ({ dialect, kind } = tuple);
    }
    run += by[index]!;
  });
  add();
}

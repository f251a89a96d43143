import { decodeUtf8 } from '../../bytes.ts';
import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { Dialect, DialectTools, Emit, Line } from '../dialect.ts';
import { capture, captureText, newCapture, startsCapture, type Captured } from '../flytekit/capture.ts';
import { settle, UNKNOWN_LINE, type Identity } from '../flytekit/identity.ts';
import type { Flytekit } from '../flytekit/index.ts';
import { TRANSPORT_KEYS } from '../flytekit/keys.ts';
import { paramsObject } from '../flytekit/params.ts';
import { isOf, MOST_WAITING, readTiming, type Timing } from '../flytekit/timing.ts';
import type { Times, When } from '../when.ts';
import { logRow, rowText, type LogFields, type Voice } from './compose.ts';
import { rootErrorType } from './error-type.ts';
import { readJsonLog } from './json.ts';
import { Pending, sizeOf, type Open, type OpenStack } from './pending.ts';
import { REPEAT_DEFAULTS, type RepeatOptions } from './repeat-options.ts';
import { Repeats } from './repeats.ts';
import { readSql } from './sql.ts';
import { continueStack, startStack } from './stack.ts';
import { collapseProgress, stripAnsi } from './terminal.ts';
import { tellObject, tellStack, tellTerminal, tellText } from './tell.ts';
import { readText } from './text.ts';

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();
const NO_KEYS: ReadonlySet<string> = new Set();
/** The logger on which flytekit prints the errors it captured. */
const FRAMEWORK = 'flytekit';
/** That of its steps. */
const TELEMETRY = 'flytekit.telemetry';
/** A stack is kept up to here; further lines of it are counted and let go. */
const LONGEST_STACK = 1 << 18;

/**
 * Everything that is not a step: JSON logs of any library, text with a level or without, stacks, progress bars. Also puts the lines together in which
 * flytekit prints an error, since they come as ordinary logs.
 */
export class LogDialect {
  readonly #times: Times;
  readonly #privacy: Privacy;
  readonly #flytekit: Flytekit;
  readonly #emit: Emit;
  readonly pending = new Pending();
  readonly #identities = new WeakMap<Origin, Identity>();
  /** Those that know their own among ordinary logs. */
  readonly #dialects: readonly Dialect[];
  readonly #repeats: Repeats;

  constructor(
    { times, privacy, emit, memory }: DialectTools,
    flytekit: Flytekit,
    dialects: readonly Dialect[],
    repeats: RepeatOptions = REPEAT_DEFAULTS,
  ) {
    this.#times = times;
    this.#privacy = privacy;
    this.#flytekit = flytekit;
    this.#emit = emit;
    this.#dialects = dialects.filter((dialect) => dialect.says !== undefined);
    this.#repeats = new Repeats(repeats, memory, emit, times.monotonic(), privacy.tell);
  }

  /** True while an event is unfinished, of any stream. */
  get open(): boolean {
    return this.pending.count > 0 || this.#repeats.open;
  }

  /** True while something of this stream is unfinished: a line of another kind may end it. */
  openAt(origin: Origin): boolean {
    return this.pending.of(origin) !== undefined;
  }

  /** A JSON object. */
  json(value: Record<string, unknown>, text: string, line: Line, merged: boolean): void {
    this.interrupt(line.origin);
    if (this.#privacy.tell !== undefined) tellObject(value, this.#privacy.tell);
    const log = readJsonLog(value, text, line.time, this.#times, merged ? TRANSPORT_KEYS : NO_KEYS, this.#privacy);
    const params = log.attributes.get('params');
    // A step whose event an extra has overwritten is a log of its own kind; its params are params all the same.
    if (log.logger === TELEMETRY && params !== undefined) {
      log.attributes.set('params', decodeUtf8(paramsObject(params, this.#privacy)));
    }
    const fields = { ...log, lines: line.lines };
    if (log.logger === FRAMEWORK && this.#framework(fields, line)) return;
    this.#log(fields, line.origin, value);
  }

  /** A line of text, decoded. */
  text(written: string, line: Line): void {
    const drawn = collapseProgress(written);
    const text = stripAnsi(drawn);
    this.#privacy.tell?.reads(text, 'text');
    if (this.#privacy.tell !== undefined) tellTerminal(written, drawn, text, this.#privacy.tell);
    const open = this.pending.of(line.origin);
    if (open !== undefined && this.#continues(open, text, line)) return;
    if (text.trim() === '') {
      if (line.lines > 0) this.#emit.blank(line.lines);
      return;
    }
    // Before the layout is read: that may take `password: x` for a logger and its message.
    const told = this.#privacy.line(text);
    const said = readText(told);
    if (this.#privacy.tell !== undefined) tellText(told, said, this.#privacy.tell);
    const time = said.time;
    const when = time === undefined ? this.#times.ofNone(line.time) : this.#times.of(time, line.time);
    const fields = { ...said, when, attributes: new Map(said.attributes), lines: line.lines };
    if (said.logger === FRAMEWORK && this.#framework(fields, line)) return;
    const state = startStack(text);
    if (state !== undefined) {
      const level = said.level ?? (state.at === 'sql' ? undefined : 'ERROR');
      if (said.level === undefined) this.#privacy.tell?.from('level', 'a stack is an ERROR');
      const stack: OpenStack = {
        state,
        when,
        level,
        logger: said.logger,
        text: said.message,
        lines: line.lines,
        perhaps: [],
      };
      this.pending.start(line.origin, this.#now(), line.offset).stack = stack;
      this.#privacy.tell?.waits(stack);
      return;
    }
    this.#log(fields, line.origin, told);
  }

  /** Lets go of the events whose last line came before `before` (monotonic milliseconds). */
  flush(before: number): void {
    for (const [origin, open] of this.pending.older(before)) this.#end(origin, open);
    if (this.#repeats.open) this.#repeats.flush(this.#now(), before === Number.POSITIVE_INFINITY);
  }

  /** Offset in the source of the oldest unfinished event; infinite if there is none. */
  get oldest(): number {
    return this.pending.first?.[1].offset ?? Number.POSITIVE_INFINITY;
  }

  /** The oldest is not waited for any longer. There must be one. Gives what it took in the carry. */
  letGo(): number {
    const before = this.pending.first!;
    const size = sizeOf(...before);
    this.#end(...before);
    return size;
  }

  #end(origin: Origin, open: Open): void {
    for (const timing of open.timings ?? []) this.#endTiming(timing, origin);
    open.timings = undefined;
    this.#endStack(open, origin);
    this.#endCapture(open, origin);
    this.pending.settle(origin, open);
  }

  /** A step has come in this stream. If it is that of a timing, it says all that this did, which then is a log. */
  stepped(step: Readonly<Record<string, unknown>>, origin: Origin): void {
    const timings = this.pending.of(origin)?.timings ?? [];
    const at = timings.findIndex((timing) => isOf(timing, step['step'], step['wall_time_s']));
    const [timing] = at === -1 ? [] : timings.splice(at, 1);
    if (timing !== undefined) {
      this.#privacy.tell?.ends(timing);
      this.#log({ ...timing, attributes: new Map(timing.attributes) }, origin, timing.message);
    }
    this.interrupt(origin);
  }

  /** Another kind of line has come in this stream: its stack, if one is open, is whole. */
  interrupt(origin: Origin): void {
    const open = this.pending.of(origin);
    if (open === undefined) return;
    if (open.captured !== undefined) {
      open.captured.tracing = false;
      this.#release(open, open.captured);
    }
    this.#endStack(open, origin);
    this.pending.settle(origin, open);
  }

  /** True when a line of the framework's own logger is more than a log. */
  #framework(fields: LogFields, line: Line): boolean {
    if (!this.#flytekit.enabled) return false;
    return this.#captures(fields.message, fields.when, line) || this.#waits(fields, line);
  }

  /** True when it tells how long a step took: then it waits for that step. */
  #waits({ when, message, level, logger, attributes, lines }: LogFields, { origin, offset }: Line): boolean {
    if (readTiming(message) === undefined) return false;
    const open = this.pending.start(origin, this.#now(), offset);
    const timing: Timing = { when, message, level, logger, attributes: [...attributes], lines };
    open.timings = [...(open.timings ?? []), timing];
    open.touched = this.#now();
    this.#privacy.tell?.waits(timing);
    if (open.timings.length > MOST_WAITING) this.#endTiming(open.timings.shift()!, origin);
    return true;
  }

  #endTiming(timing: Timing, origin: Origin): void {
    this.#privacy.tell?.ends(timing);
    this.#flytekit.timing(timing, origin);
  }

  /** Offers a message of the framework's logger to the error that is being printed. */
  #captures(message: string, when: When, line: Line): boolean {
    const open = this.pending.of(line.origin);
    if (open?.captured === undefined && !startsCapture(message)) return false;
    const entry = open ?? this.pending.start(line.origin, this.#now(), line.offset);
    entry.captured ??= newCapture(when);
    let step = capture(entry.captured, message, line.lines);
    if (step === 'other') {
      // The error before is as whole as it will be; this line may begin the next.
      this.#endCapture(entry, line.origin);
      if (startsCapture(message)) {
        entry.captured = newCapture(when);
        step = capture(entry.captured, message, line.lines);
      }
    }
    if (step !== 'other') this.#privacy.tell?.waits(entry.captured);
    if (step === 'closed') this.#endCapture(entry, line.origin);
    entry.touched = this.#now();
    this.pending.settle(line.origin, entry);
    return step !== 'other';
  }

  /** True when the text belongs to what is open in its stream. */
  #continues(open: Open, text: string, line: Line): boolean {
    if (open.stack === undefined && open.captured === undefined) return false;
    open.touched = this.#now();
    if (open.captured !== undefined) {
      if (captureText(open.captured, text, line.lines) === 'taken') {
        this.#held(open, open.captured);
        return true;
      }
      this.#release(open, open.captured);
    }
    const { stack } = open;
    if (stack === undefined) return false;
    const state = continueStack(stack.state, text);
    if (state !== undefined) {
      stack.state = state;
      const { tell } = this.#privacy;
      const perhaps = { text, lines: line.lines };
      stack.perhaps.push(perhaps);
      tell?.waits(perhaps);
      if (state.held > 0) return true;
      for (const held of stack.perhaps) {
        tell?.ends(held);
        tell?.waits(stack);
        if (stack.text.length < LONGEST_STACK) stack.text += `\n${held.text}`;
        stack.lines += held.lines;
      }
      stack.perhaps = [];
      return true;
    }
    this.#endStack(open, line.origin);
    this.pending.settle(line.origin, open);
    return false;
  }

  #endCapture(open: Open, origin: Origin): void {
    const { captured } = open;
    if (captured === undefined) return;
    open.captured = undefined;
    this.#privacy.tell?.ends(captured);
    if (captured.messages > 0) this.#flytekit.error(captured, origin);
    this.#release(open, captured);
  }

  /** Says to which a line of text belongs: blank ones are only perhaps the error's. */
  #held(open: Open, captured: Captured): void {
    const { tell } = this.#privacy;
    if (captured.blank > 0) tell?.waits(open);
    else {
      tell?.waits(captured);
      tell?.ends(open);
      tell?.waits(captured);
    }
  }

  /** Blank lines behind a trace that did not belong to it. */
  #release(open: Open, captured: Captured): void {
    if (captured.blank > 0) {
      this.#privacy.tell?.ends(open);
      this.#emit.blank(captured.blank);
    }
    captured.blank = 0;
  }

  #endStack(open: Open, origin: Origin): void {
    const { stack } = open;
    if (stack === undefined) return;
    open.stack = undefined;
    this.#privacy.tell?.ends(stack);
    if (this.#privacy.tell !== undefined) tellStack(stack, this.#privacy.tell);
    const { when, logger, text, lines } = stack;
    const sql = stack.state.at === 'told' ? readSql(text) : undefined;
    const { message, level, attributes } = sql ?? { message: text, level: stack.level, attributes: NO_ATTRIBUTES };
    const error_type = sql === undefined ? rootErrorType(text) : undefined;
    this.#log({ when, message, level, logger, error_type, attributes, lines }, origin, text);
    // Only blank lines are held back, and they turned out not to belong.
    for (const held of stack.perhaps) {
      this.#privacy.tell?.ends(held);
      this.#emit.blank(held.lines);
    }
  }

  /** `written`: see Dialect.says. */
  #log(fields: LogFields, origin: Origin, written: Readonly<Record<string, unknown>> | string): void {
    if (!this.#emit.logs) {
      this.#emit.filtered('log', fields.lines);
      return;
    }
    const voice = this.#voice(fields, origin, written);
    const row = logRow(fields, voice, origin, this.#privacy);
    if (voice.repeats === true && this.#repeats.hold(row, this.#now())) return;
    this.#emit.event('logs', rowText(row), row.tuple, Number.NaN, fields.lines);
  }

  #voice(fields: LogFields, origin: Origin, written: Readonly<Record<string, unknown>> | string): Voice {
    for (const dialect of this.#dialects) {
      const voice = dialect.says!(fields, origin, written);
      if (voice !== undefined) return voice;
    }
    let identity = this.#identities.get(origin);
    if (identity === undefined) {
      identity = settle(UNKNOWN_LINE, origin);
      this.#identities.set(origin, identity);
    }
    return { dialect: 'log', app: undefined, identity };
  }

  #now(): number {
    return this.#times.monotonic();
  }
}

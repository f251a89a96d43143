import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { RowsBuilder } from '../../rows.ts';
import type { Emit, Line } from '../dialect.ts';
import { errorRow, rowText } from '../log/compose.ts';
import type { Times } from '../when.ts';
import { capturedType, tellCaptured, type Captured } from './capture.ts';
import { StepComposer, type StepFields } from './compose.ts';
import { Failures } from './failures.ts';
import { FastSteps } from './fast.ts';
import { Identities } from './identities.ts';
import { settle, UNKNOWN_LINE, type Identity } from './identity.ts';
import { claimsStep, readReference, textClaimsStep } from './reference.ts';
import { tellTiming, timingRow, type Timing } from './timing.ts';

/** What is remembered of steps from line to line, whatever log they are in. */
export class StepTools {
  readonly identities = new Identities();
  readonly composer: StepComposer;
  readonly fast: FastSteps;

  constructor(times: Times, privacy: Privacy) {
    this.composer = new StepComposer(privacy);
    this.fast = new FastSteps(this.composer, this.identities, times, privacy);
  }
}

/** flytekit with the telemetry fork: steps on stderr, rows of its ClickHouse path, captured errors. */
export class Flytekit {
  readonly #times: Times;
  readonly #privacy: Privacy;
  readonly #emit: Emit;
  readonly #identities: Identities;
  readonly #composer: StepComposer;
  readonly #fast: FastSteps;
  readonly failures = new Failures();
  readonly #fields: StepFields = {
    ts_us: 0,
    ts_from: 'line',
    step: '',
    wall_time_s: '0',
    process_time_s: '0',
    error_type: '',
    status: 'success',
    identity: UNKNOWN_LINE,
    params: '',
    attributes: '',
    lines: 1,
  };

  /** False: it claims nothing, and its lines are read like any others. */
  readonly enabled: boolean;

  constructor(times: Times, privacy: Privacy, emit: Emit, { identities, composer, fast }: StepTools, enabled = true) {
    this.enabled = enabled;
    this.#times = times;
    this.#privacy = privacy;
    this.#emit = emit;
    this.#identities = identities;
    this.#composer = composer;
    this.#fast = fast;
  }

  /** True when the bytes were a step as its producer's formatter writes it, and it is in `to`. See FastSteps.take. */
  fast(
    bytes: Buffer,
    start: number,
    end: number,
    time: number,
    timeEnd: number,
    origin: Origin,
    to: RowsBuilder,
    lines = 1,
  ): boolean {
    if (!this.#fast.take(bytes, start, end, time, timeEnd, origin, to, lines)) return false;
    const { failed } = this.#fast;
    if (failed !== undefined) this.failures.remember(origin, failed, this.#times.monotonic());
    return true;
  }

  /** True when text that is not JSON says it is a step. */
  claims(text: string): boolean {
    if (!this.enabled || !text.includes('flytekit_step') || !textClaimsStep(text)) return false;
    this.#privacy.tell?.note('dialect', 'the text says that its event is flytekit_step', 'flytekit');
    return true;
  }

  /** True when the object says it is a step: then it is done, as an event or as a rejection. */
  step(value: Record<string, unknown>, text: string, line: Line, wrapped: boolean): boolean {
    if (!this.enabled || !claimsStep(value)) return false;
    this.#privacy.tell?.note('dialect', 'event is flytekit_step', 'flytekit');
    const problem = readReference(
      value,
      text,
      line,
      this.#fields,
      this.#times,
      this.#identities,
      this.#privacy,
      wrapped,
    );
    if (problem === undefined) this.#done(line);
    else this.#emit.reject('schema', problem, 'flytekit', line);
    return true;
  }

  /** An error that the framework has printed. */
  error(error: Captured, origin: Origin): void {
    const root_error_type = capturedType(error);
    if (this.#privacy.tell !== undefined) tellCaptured(error, this.#privacy.tell);
    const attributes = new Map(error.reason === '' ? [] : [['reason', error.reason]]);
    const row = errorRow(
      {
        when: error.when,
        message: error.trace === '' ? error.reason : error.trace,
        level: 'ERROR',
        logger: 'flytekit',
        root_error_type,
        error_kind: error.kind,
        attributes,
        lines: error.lines,
      },
      this.#blame(error, origin),
      origin,
      this.#privacy,
    );
    this.#emit.event('events', rowText(row), row.tuple, Number.NaN, error.lines);
  }

  /** A step that only a line of text tells of. */
  timing(timing: Timing, origin: Origin): void {
    if (this.#privacy.tell !== undefined) tellTiming(this.#privacy.tell);
    const { row, tuple, duration } = timingRow(timing, origin, this.#composer, this.#privacy);
    this.#emit.event('steps', row, tuple, duration, timing.lines);
  }

  #done(line: Line): void {
    const fields = this.#fields;
    const { row, tuple, duration } = this.#composer.compose(fields, line.origin);
    if (fields.status === 'error') {
      const { identity, ts_us } = fields;
      this.failures.remember(line.origin, { identity, ts_us }, this.#times.monotonic());
    }
    this.#emit.event('steps', row, tuple, duration, line.lines);
  }

  /** The lines of an error name the task at most; the step that failed just before, in the same stream, names the execution. */
  #blame(error: Captured, origin: Origin): Identity {
    const failed = this.failures.find(origin, error.when.us, error.task, this.#times.monotonic());
    if (failed !== undefined) return settle(failed, origin, undefined, 'stream');
    return settle({ ...UNKNOWN_LINE, task: error.task }, origin);
  }
}

import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { RowsBuilder } from '../../rows.ts';
import type { Emit, Line } from '../dialect.ts';
import { errorRow } from '../log/compose.ts';
import type { Times } from '../when.ts';
import { capturedType, type Captured } from './capture.ts';
import { LONGEST_KEPT, StepComposer, type StepFields } from './compose.ts';
import { FastSteps, type Failed } from './fast.ts';
import { Identities } from './identities.ts';
import { settle, UNKNOWN_LINE, type Identity } from './identity.ts';
import { claimsStep, readReference, textClaimsStep } from './reference.ts';

/** Two steps fail for one error; with a few threads, a few more. */
const REMEMBERED = 8;
/** An error is printed right behind its step: milliseconds later, seconds on a busy node. Their clocks are one, their timestamps are cut to 1 ms. */
const WINDOW_US = 60_000_000;
const SLACK_US = 2_000;

/** flytekit with the telemetry fork: steps on stderr, rows of its ClickHouse path, captured errors. */
export class Flytekit {
  readonly #times: Times;
  readonly #privacy: Privacy;
  readonly #emit: Emit;
  readonly #identities = new Identities();
  readonly #composer: StepComposer;
  readonly #fast: FastSteps;
  /** A stream's latest failed steps, newest first: the error that is printed next is one of theirs. */
  readonly #failed = new WeakMap<Origin, Failed[]>();
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

  constructor(times: Times, privacy: Privacy, emit: Emit) {
    this.#times = times;
    this.#privacy = privacy;
    this.#emit = emit;
    this.#composer = new StepComposer(privacy);
    this.#fast = new FastSteps(this.#composer, this.#identities, times, privacy);
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
    if (failed !== undefined) this.#remember(origin, failed);
    return true;
  }

  /** True when text that is not JSON says it is a step. */
  claims(text: string): boolean {
    return text.includes('flytekit_step') && textClaimsStep(text);
  }

  /** True when the object says it is a step: then it is done, as an event or as a rejection. */
  step(value: Record<string, unknown>, text: string, line: Line, wrapped: boolean): boolean {
    if (!claimsStep(value)) return false;
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
    const attributes: [string, string][] = error.reason === '' ? [] : [['reason', error.reason]];
    const { row, tuple } = errorRow(
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
    this.#emit.event('events', row, tuple, Number.NaN, error.lines);
  }

  #done(line: Line): void {
    const fields = this.#fields;
    const { row, tuple, duration } = this.#composer.compose(fields, line.origin);
    if (fields.status === 'error') this.#remember(line.origin, { identity: fields.identity, ts_us: fields.ts_us });
    this.#emit.event('steps', row, tuple, duration, line.lines);
  }

  #remember(origin: Origin, failed: Failed): void {
    const { execution_id, task, task_project, task_domain } = failed.identity;
    if (execution_id.length + task.length + task_project.length + task_domain.length > LONGEST_KEPT) return;
    const earlier = this.#failed.get(origin) ?? [];
    this.#failed.set(origin, [failed, ...earlier.slice(0, REMEMBERED - 1)]);
  }

  /** The lines of an error name the task at most; the step that failed just before, in the same stream, names the execution. */
  #blame(error: Captured, origin: Origin): Identity {
    const failed = this.#failed.get(origin)?.find(({ identity, ts_us }) => {
      const later_us = error.when.us - ts_us;
      return later_us >= -SLACK_US && later_us <= WINDOW_US && (error.task === '' || error.task === identity.task);
    });
    if (failed !== undefined) return settle(failed.identity, origin, undefined, 'stream');
    return settle({ ...UNKNOWN_LINE, task: error.task }, origin);
  }
}

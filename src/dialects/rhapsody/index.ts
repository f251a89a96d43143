import type { TypedEvent } from '../../event-types/reader.ts';
import type { Dialect, DialectTools, Line } from '../dialect.ts';
import { baseProblem, isEvent, isObject, type Value } from './base.ts';
import { Commons } from './common.ts';
import { compose, type Said } from './compose.ts';
import { Events, isBuiltIn } from './event.ts';
import { spanId, traceId } from './ids.ts';
import { isMetric, metricProblem, readMetric } from './metric.ts';
import { Reading } from './reading.ts';
import { Sessions } from './sessions.ts';
import { isSpan, readSpan, spanProblem } from './span.ts';
import { tellLine } from './tell.ts';
import { Written } from './written.ts';

/** The first members of an event, in the order of its writer. Half of all event logs have the first two. */
const EVENT =
  /^\s*\{\s*"event_id"\s*:\s*"[^"]{0,200}"\s*,\s*"event_type"\s*:\s*"[^"]{0,500}"\s*,\s*"event_time"\s*:\s*[-\dIN]/;

/**
 * RHAPSODY's telemetry, and that of AsyncFlow, which is written by it: events, snapshots of metrics and spans, as lines of one file a session. Events with the same `event_id` are not told
 * apart: a file is written once and read once, and 32 digits to remember of every event would be more than its row.
 */
export class Rhapsody implements Dialect {
  readonly name = 'rhapsody';
  readonly #tools: DialectTools;
  readonly #sessions: Sessions;
  readonly #commons = new Commons();
  readonly #events: Events;

  constructor(tools: DialectTools) {
    this.#tools = tools;
    this.#sessions = new Sessions(tools.memory);
    this.#events = new Events(this.#commons, tools.times);
  }

  take(value: Value, text: string, line: Line, wrapped: boolean): boolean {
    const sort = isEvent(value) ? 'event' : isSpan(value) ? 'span' : isMetric(value) ? 'metric' : undefined;
    if (sort === undefined) return false;
    const { tell } = this.#tools.privacy;
    if (tell !== undefined) tellLine(value['section'], sort, tell);
    if (sort === 'event') return this.#event(value, text, line, wrapped);
    if (sort === 'span') this.#span(value, text, line, wrapped);
    else this.#metric(value, text, line, wrapped);
    return true;
  }

  claims(text: string): string | undefined {
    if (EVENT.test(text)) return 'an event of RHAPSODY';
    if (text.includes('"span_id": "0x') && text.includes('"start_ns"')) return 'a span of RHAPSODY';
    return text.startsWith('{"checkpoint_time": ') ? 'a snapshot of RHAPSODY' : undefined;
  }

  /** False for an event that is to be an ordinary log, since nobody declares its type. */
  #event(value: Value, text: string, line: Line, wrapped: boolean): boolean {
    const written = new Written(text);
    const problem = baseProblem(value, written);
    if (problem !== undefined) {
      this.#reject(problem, line);
      return true;
    }
    const type = String(value['event_type']);
    const typed = isBuiltIn(type) ? undefined : this.#typed(type, written, line);
    if (typeof typed === 'boolean') return typed;
    const said = this.#events.read(this.#reading(value, written, wrapped, typed), line);
    const { session_id, trace_id } = said.common.about;
    if (session_id !== '' && (value['event_type'] === 'SessionStarted' || !this.#sessions.knows(line.origin))) {
      this.#sessions.started(line.origin, session_id, trace_id);
    }
    this.#emit(said, line, typed?.fragment);
    return true;
  }

  /** What the pipeline declares of an event; what `take` is to answer where that is all. */
  #typed(type: string, written: Written, line: Line): TypedEvent | boolean | undefined {
    const { types, emit } = this.#tools;
    const typed = types?.read(type, written.all);
    if (typeof typed === 'string') {
      this.#reject(`${type}: ${typed}`, line);
      return true;
    }
    if (typed !== undefined || types === undefined || types.unknown === 'accept') return typed;
    if (types.unknown === 'log') return false;
    emit.reject('unknown_event', 'is of a type that neither its producer nor the pipeline declares', this.name, line);
    return true;
  }

  #span(value: Value, text: string, line: Line, wrapped: boolean): void {
    const problem = spanProblem(value);
    if (problem !== undefined) {
      this.#reject(problem, line);
      return;
    }
    const last = value['name'] === 'session';
    if (!this.#sessions.first(traceId(value['trace_id']), spanId(value['span_id']), last)) {
      this.#tools.emit.filtered('span', line.lines);
      return;
    }
    const reading = this.#reading(value, new Written(text), wrapped);
    const session = this.#sessions.of(line.origin);
    this.#emit(readSpan(reading, line, this.#tools.times, this.#commons, session), line);
  }

  #metric(value: Value, text: string, line: Line, wrapped: boolean): void {
    const written = new Written(text);
    const problem = metricProblem(value, written);
    if (problem !== undefined) {
      this.#reject(problem, line);
      return;
    }
    const reading = this.#reading(value, written, wrapped);
    const session = this.#sessions.of(line.origin);
    this.#emit(readMetric(reading, line, this.#tools.times, this.#commons, session), line);
  }

  #reading(value: Value, written: Written, wrapped: boolean, typed?: TypedEvent): Reading {
    const { attributes } = value;
    const { privacy, taken } = typed ?? { privacy: this.#tools.privacy, taken: undefined };
    // A rule for all of them leaves none to be read.
    const inner = isObject(attributes) && !privacy.marks('attributes') ? attributes : {};
    return new Reading(value, inner, written, privacy, wrapped, taken);
  }

  /** `declared`: columns behind all others. */
  #emit(said: Said, line: Line, declared = ''): void {
    const { table, row, tuple, duration } = compose(said, line.lines);
    const whole = declared === '' ? row : `${row.slice(0, -1)}${declared}}`;
    this.#tools.emit.event(table, whole, tuple, duration, line.lines);
  }

  #reject(problem: string, line: Line): void {
    this.#tools.emit.reject('schema', problem, 'rhapsody', line);
  }
}

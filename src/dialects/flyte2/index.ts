import { members, valueText } from '../../json.ts';
import type { App, Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { Dialect, DialectTools, Emit, Line } from '../dialect.ts';
import { settle, UNKNOWN_LINE, type Identity } from '../flytekit/identity.ts';
import { TRANSPORT_KEYS } from '../flytekit/keys.ts';
import type { LogFields, Voice } from '../log/compose.ts';
import { readTime } from '../log/json.ts';
import type { Times } from '../when.ts';
import { tellTimer, timerProblem, timerRow } from './timer.ts';

const FLYTE2: App = { app: 'flyte2', component: 'task' };

/** Loggers of the SDK itself; `flyte.user` is what it gives to users. */
const LOGGER = /^flyte(?:\.|$)/;

/**
 * The Flyte 2 SDK: timers, which are steps, and its log lines, as JSON (LOG_FORMAT=json) and as it prints them on a console. Both name run and action, which are the execution and its node.
 * A timer does not say whether what it timed went well: that of `run_task` is printed when the task has failed, too.
 */
export class Flyte2 implements Dialect {
  readonly name = 'flyte2';
  readonly #times: Times;
  readonly #privacy: Privacy;
  readonly #emit: Emit;
  /** What was said last: those of a stream are mostly about one action. */
  #last:
    | { readonly origin: Origin; readonly run: string; readonly action: string; readonly identity: Identity }
    | undefined;

  constructor({ times, privacy, emit }: DialectTools) {
    this.#times = times;
    this.#privacy = privacy;
    this.#emit = emit;
  }

  take(value: Readonly<Record<string, unknown>>, text: string, line: Line, wrapped: boolean): boolean {
    const { metric_type, logger } = value;
    if (metric_type !== 'timer' || typeof logger !== 'string' || !LOGGER.test(logger)) return false;
    const { tell } = this.#privacy;
    tell?.note('dialect', 'metric_type is timer, on a logger of Flyte 2', this.name);
    const problem = timerProblem(value);
    if (problem !== undefined) {
      this.#emit.reject('schema', problem, this.name, line);
      return true;
    }
    const own = new Map<string, string>();
    const json = members(text);
    for (const [name, each] of json) {
      const said = wrapped && TRANSPORT_KEYS.has(name) ? undefined : valueText(each);
      if (said !== undefined) own.set(name, said);
    }
    const when = readTime(value['timestamp'], line.time, this.#times) ?? this.#times.ofNone(line.time);
    if (when.from === 'line') own.delete('timestamp');
    const identity = this.#identity(own, line.origin);
    if (tell !== undefined) tellTimer(tell);
    const { row, tuple, duration } = timerRow(
      {
        when,
        name: value['metric_name'] as string,
        wall_time_s: json.get('duration_seconds')!,
        own,
        lines: line.lines,
      },
      identity,
      line.origin.of(FLYTE2),
      this.#privacy,
    );
    this.#emit.event('steps', row, tuple, duration, line.lines);
    return true;
  }

  says(log: LogFields, origin: Origin, written: Readonly<Record<string, unknown>> | string): Voice | undefined {
    const { logger = '', attributes } = log;
    const named = attributes.has('run_name') && attributes.has('action_name');
    // Its formatter writes where a line was written, whoever wrote it.
    const known = typeof written === 'string' ? named : named && attributes.has('funcName');
    if (!known && !(LOGGER.test(logger) && (typeof written === 'string' || attributes.has('funcName'))))
      return undefined;
    this.#privacy.tell?.note(
      'dialect',
      known ? 'names run and action as Flyte 2 does' : 'a logger of Flyte 2',
      this.name,
    );
    const own = new Map(attributes);
    const identity = this.#identity(own, origin);
    return { dialect: this.name, app: FLYTE2, identity, attributes: own };
  }

  /** Takes run and action out of the attributes, unless they have a rule. */
  #identity(own: Map<string, string>, origin: Origin): Identity {
    const taken = (name: string): string => {
      const said = this.#privacy.marks(name) ? '' : (own.get(name) ?? '');
      if (said !== '') own.delete(name);
      return said;
    };
    const run = taken('run_name');
    const action = taken('action_name');
    const { tell } = this.#privacy;
    if (run !== '') tell?.from('execution_id', { key: 'run_name' });
    if (action !== '') tell?.from('node_id', { key: 'action_name' });
    if (this.#last?.origin !== origin || this.#last.run !== run || this.#last.action !== action) {
      const identity = settle({ ...UNKNOWN_LINE, execution_id: run, node_id: action }, origin);
      this.#last = { origin, run, action, identity };
    }
    return this.#last.identity;
  }
}

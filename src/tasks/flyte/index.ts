import type { EventTable } from '../../fields.ts';
import type { Pods } from '../../kubernetes/pods.ts';
import type { Assembler, EventRow, Tasks } from '../assembler.ts';
import { addStep, describe, notSaid, type Open, type Past } from './open.ts';
import { recordOf, type Ending } from './record.ts';
import { isOwn, SLACK_US, type Step } from './tree.ts';

export interface FlyteOptions {
  /** What ends a task of which nothing is heard, in seconds; not while its pod is known to live. */
  readonly idle_s: number;
  readonly pods: Pick<Pods, 'get' | 'state'>;
}

/** The last that a task says, and then the deck and the lines of an error: so long they may take. */
const LAST: ReadonlySet<string> = new Set(['upload_outputs', 'output_deck', 'load_and_run_task_total']);
const QUIET_MS = 2_000;
/** Tasks without outputs end with what encloses their code; others upload them then, which takes as long as it takes. */
const DISPATCHED = 'task_dispatch_execute';
const CODE = 'execute_user_code';
const DISPATCHED_QUIET_MS = 30_000;
/** What may follow the step that encloses a task's code; any other is another task's. */
const TAIL: ReadonlySet<string> = new Set(['output_offloading', 'upload_data', ...LAST]);

/** A container that has ended has written its last line; so long it may take to be read. */
const GONE_MS = 10_000;
const LOOK_MS = 10_000;
/** A closed task is corrected by what comes late, so long, and so many of them. */
const CORRECTED_MS = 3_600_000;
const MOST_CORRECTED = 4_000;
/** One that only seemed to be over may have code that takes days, and nothing is heard of it meanwhile. */
const SILENT_MS = 7 * 24 * 3_600_000;
/** Then it is only known that there was one. */
const KNOWN_MS = 24 * 3_600_000;
const MOST_KNOWN = 20_000;

/*
 * A task is `open` until its last step has come, `ended` until it is quiet, `closed` when it was told, and may be corrected; then it is `past`. What comes for a closed one opens it again. It is kept
 * under one of these words and its stream: what a container writes, or a source where no pod is known.
 */
const OPEN = 'flyte open ';
const ENDED = 'flyte ended ';
const CLOSED = 'flyte closed ';
const PAST = 'flyte past ';

/** A stream by the keys that what is known of it is kept under: they are made once, since every row asks for several. */
interface Stream {
  readonly name: string;
  readonly open: string;
  readonly ended: string;
  readonly closed: string;
  readonly past: string;
}

function streamOf(name: string): Stream {
  return { name, open: OPEN + name, ended: ENDED + name, closed: CLOSED + name, past: PAST + name };
}

/** Streams that the rows of one identity may be of. */
interface Candidates {
  readonly source: string;
  /** That of the container, and of a pod that was made again. */
  readonly first: Stream;
  readonly again: Stream;
  readonly pod_uid: string;
  /** What the lines say of whose task it is; undefined when nothing. And the streams of their own of these two. */
  readonly said: readonly string[] | undefined;
  readonly ofFirst: Stream;
  readonly ofAgain: Stream;
}

function candidatesOf(source: string, fields: EventRow['fields']): Candidates {
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const pod_uid = text('pod_uid');
  const pod = text('pod') === '' ? pod_uid || source : `${text('namespace')}/${text('pod')}`;
  const beside = notSaid(fields);
  const said = WHOSE.map((name) => (beside.has(name) ? '' : text(name)));
  const first = `${pod}/${text('container')}`;
  const again = `${first} ${JSON.stringify([pod_uid])}`;
  return {
    source,
    first: streamOf(first),
    again: streamOf(again),
    pod_uid,
    said: said.every((each) => each === '') ? undefined : said,
    ofFirst: streamOf(`${first} ${JSON.stringify(said)}`),
    ofAgain: streamOf(`${again} ${JSON.stringify(said)}`),
  };
}

/** Puts the tasks of Flyte together, from the steps that flytekit and the SDK of Flyte 2 write. */
export class FlyteTasks implements Assembler {
  readonly name = 'flyte';
  readonly #options: FlyteOptions;
  /** When it was looked at what is open: not with every tick, since all of it is parsed. */
  #looked_ms = 0;
  /** By what rows of one identity have alike. */
  readonly #candidates = new WeakMap<object, Candidates>();
  /** The last of those that each task was described by. */
  readonly #described = new WeakMap<Open, object>();

  constructor(options: FlyteOptions) {
    this.#options = options;
  }

  wants(table: EventTable, dialect: string, kind: string): boolean {
    if (dialect !== 'flytekit' && dialect !== 'flyte2') return false;
    return (table === 'steps' && kind === 'step') || (table === 'events' && kind === 'error');
  }

  take(row: EventRow, tasks: Tasks): void {
    const stream = this.#streamOf(row, tasks);
    if (row.table === 'events') this.#capture(row, stream, tasks);
    else this.#step(row, stream, tasks);
  }

  #step(row: EventRow, stream: Stream, tasks: Tasks): void {
    const { ts_us, about, committed_ms } = row;
    const step = stepOf(row.step ?? row.fields, ts_us);
    let open = found(stream, tasks);
    if (open !== undefined && begins(step, open)) {
      this.#close(stream, { end_reason: 'completed' }, committed_ms, tasks);
      open = opened(open.n + 1, committed_ms);
    }
    if (open === undefined) {
      const past = tasks.get(stream.past) as Past | undefined;
      if (past !== undefined && (TAIL.has(step[0]) || step[1] < past.end_us - SLACK_US)) {
        tasks.late();
        return;
      }
      tasks.drop(stream.past);
      open = opened(past === undefined ? 0 : past.n + 1, committed_ms);
    }
    addStep(open, step);
    if (this.#described.get(open) !== about) {
      const { fields } = row;
      describe(open, fields);
      if (fields['params'] !== undefined) open.columns['params'] ??= fields['params'];
      this.#described.set(open, about);
    }
    if (ends(step)) open.end_us = step[2];
    if (LAST.has(step[0])) open.last = true;
    open.last_ms = committed_ms;
    keep(stream, open, tasks);
  }

  /** The lines in which flytekit tells an error come after the step that failed for it. */
  #capture({ fields, committed_ms }: EventRow, stream: Stream, tasks: Tasks): void {
    const open = found(stream, tasks);
    if (open === undefined) {
      if (tasks.has(stream.past)) tasks.late();
      return;
    }
    const { root_error_type, error_kind, error_type, message } = fields;
    open.error ??= { root_error_type, error_kind, error_type, message };
    open.last_ms = committed_ms;
    keep(stream, open, tasks);
  }

  /**
   * A stream has the tasks of one container. Where several take turns in it, all but the first are streams of their own; so is a pod that was made again under the same name. What has its own keeps
   * it when the first is forgotten.
   */
  #streamOf(row: EventRow, tasks: Tasks): Stream {
    const { source, about } = row;
    let candidates = this.#candidates.get(about);
    if (candidates === undefined || candidates.source !== source) {
      candidates = candidatesOf(source, row.fields);
      this.#candidates.set(about, candidates);
    }
    const { first, again, pod_uid, said, ofFirst, ofAgain } = candidates;
    const stream = own(first, again, ['pod_uid'], [pod_uid], tasks);
    if (said === undefined) return stream;
    return own(stream, stream === first ? ofFirst : ofAgain, WHOSE, said, tasks);
  }

  tick(now_ms: number, tasks: Tasks): void {
    for (const key of tasks.keys(ENDED)) {
      const open = tasks.get(key) as Open;
      const quiet_ms = now_ms - open.last_ms;
      const killed = quiet_ms >= GONE_MS ? this.#killed(open) : undefined;
      if (killed !== undefined || quiet_ms >= (open.last === true ? QUIET_MS : DISPATCHED_QUIET_MS)) {
        this.#close(streamOf(key.slice(ENDED.length)), killed ?? { end_reason: 'completed' }, now_ms, tasks);
      }
    }
    if (now_ms - this.#looked_ms < LOOK_MS) return;
    this.#looked_ms = now_ms;
    for (const key of tasks.keys(OPEN)) {
      const open = tasks.get(key) as Open;
      if (now_ms - open.last_ms < GONE_MS) break;
      const ending = this.#ending(open, now_ms);
      if (ending !== undefined) this.#close(streamOf(key.slice(OPEN.length)), ending, now_ms, tasks);
    }
    this.#forget(now_ms, tasks);
  }

  /** How a task ended that never said so; undefined while it may go on. */
  #ending({ columns, last_ms }: Open, now_ms: number): Ending | undefined {
    const { pods, idle_s } = this.#options;
    const { pod_uid, k8s_enriched } = columns;
    if (typeof pod_uid === 'string' && k8s_enriched === true) {
      const gone = this.#gone(columns);
      if (gone !== undefined) return gone;
      if (pods.state.state === 'synced')
        return pods.get(pod_uid) === undefined ? { end_reason: 'pod_gone' } : undefined;
    }
    return now_ms - last_ms >= idle_s * 1000 ? { end_reason: 'idle' } : undefined;
  }

  /** A task whose code has ended, but whose container was killed before the outputs were there, has not. */
  #killed({ last, columns }: Open): Ending | undefined {
    const gone = last === true ? undefined : this.#gone(columns);
    return gone?.exit_code === 0 ? undefined : gone;
  }

  /** How its container ended, as the Kubernetes API said. */
  #gone({ pod_uid, container, k8s_enriched }: Open['columns']): Ending | undefined {
    if (typeof pod_uid !== 'string' || typeof container !== 'string' || k8s_enriched !== true) return undefined;
    const end = this.#options.pods.get(pod_uid)?.terminated.get(container);
    if (end === undefined) return undefined;
    return { end_reason: 'pod_gone', termination_reason: end.reason || undefined, exit_code: end.exit_code };
  }

  #forget(now_ms: number, tasks: Tasks): void {
    const closed = [...tasks.keys(CLOSED)];
    for (const [n, key] of closed.entries()) {
      const { n: nth, steps, last_ms, silent = false } = tasks.get(key) as Open;
      const most = silent ? 2 * MOST_CORRECTED : MOST_CORRECTED;
      if (now_ms - last_ms < (silent ? SILENT_MS : CORRECTED_MS) && closed.length - n <= most) {
        if (silent) continue;
        break;
      }
      tasks.drop(key);
      const past: Past = { n: nth, end_us: Math.max(...steps.map(([, , end_us]) => end_us)), at_ms: now_ms };
      tasks.put(PAST + key.slice(CLOSED.length), past);
    }
    const past = [...tasks.keys(PAST)];
    for (const [n, key] of past.entries()) {
      const { at_ms } = tasks.get(key) as Past;
      if (now_ms - at_ms < KNOWN_MS && past.length - n <= MOST_KNOWN) break;
      tasks.drop(key);
    }
  }

  spare(key: string): boolean {
    return key.startsWith(PAST) || key.startsWith(CLOSED);
  }

  evicted(key: string, now_ms: number, tasks: Tasks): boolean {
    const stream = streamOfKey(key, OPEN) ?? streamOfKey(key, ENDED);
    if (stream === undefined) return false;
    const told = this.#close(stream, { end_reason: key.startsWith(OPEN) ? 'evicted' : 'completed' }, now_ms, tasks);
    tasks.drop(stream.closed);
    return told && key.startsWith(OPEN);
  }

  over(now_ms: number, tasks: Tasks): void {
    for (const key of tasks.keys(ENDED)) {
      const killed = this.#killed(tasks.get(key) as Open);
      this.#close(streamOf(key.slice(ENDED.length)), killed ?? { end_reason: 'completed' }, now_ms, tasks);
    }
    for (const key of tasks.keys(OPEN)) {
      const ending = this.#ending(tasks.get(key) as Open, now_ms) ?? { end_reason: 'input_ended' };
      this.#close(streamOf(key.slice(OPEN.length)), ending, now_ms, tasks);
    }
  }

  /** True when it was told. */
  #close(stream: Stream, ending: Ending, now_ms: number, tasks: Tasks): boolean {
    const open = (tasks.get(stream.open) ?? tasks.get(stream.ended)) as Open | undefined;
    // It is closed already: nothing has come since.
    if (open === undefined) return false;
    tasks.drop(stream.open);
    tasks.drop(stream.ended);
    // Whoever times steps of his own in a script has run no task; and the code of a task never comes alone, what encloses it ends milliseconds later.
    if (!open.steps.some(([step]) => isOwn(step) && step !== CODE)) return false;
    const record = recordOf(open, ending);
    open.day = tasks.emit({ ...record, task_day: open.day });
    open.revision = Math.max(open.revision, record.revision);
    open.last_ms = now_ms;
    open.silent = ending.end_reason === 'idle' || ending.end_reason === 'input_ended';
    tasks.put(stream.closed, open);
    return true;
  }
}

/** What tells the tasks of one stream apart. */
const WHOSE = ['execution_id', 'task'];

/** The stream itself, or the one beside it of those who say that of themselves, where it was begun or the first in the stream is another's. */
function own(stream: Stream, beside: Stream, names: readonly string[], said: readonly string[], tasks: Tasks): Stream {
  if (found(beside, tasks) !== undefined || tasks.has(beside.past)) return beside;
  const first = found(stream, tasks);
  return first === undefined || names.every((name, n) => agrees(first, name, said[n]!)) ? stream : beside;
}

function agrees({ columns, weak }: Open, name: string, said: string): boolean {
  const known = columns[name];
  return said === '' || known === undefined || known === said || weak.includes(name);
}

function opened(n: number, now_ms: number): Open {
  return { n, columns: {}, weak: [], steps: [], more: 0, last_ms: now_ms, revision: 0 };
}

function found(stream: Stream, tasks: Tasks): Open | undefined {
  return (tasks.get(stream.open) ?? tasks.get(stream.ended) ?? tasks.get(stream.closed)) as Open | undefined;
}

function keep(stream: Stream, open: Open, tasks: Tasks): void {
  const ended = open.end_us !== undefined;
  tasks.drop(stream.closed);
  if (ended) tasks.drop(stream.open);
  tasks.put(ended ? stream.ended : stream.open, open);
}

function ends([step, , , failed]: Step): boolean {
  return LAST.has(step) || step === DISPATCHED || (step === 'load_task' && failed !== '');
}

/** True when the step began after the end of that task, and so is another's. */
function begins([step, start_us]: Step, { end_us }: Open): boolean {
  return end_us !== undefined && start_us >= end_us - SLACK_US && !TAIL.has(step);
}

function stepOf(fields: NonNullable<EventRow['step']> | EventRow['fields'], ts_us: number): Step {
  const { step, status, wall_time_s, process_time_s, error_type } = fields as EventRow['fields'];
  const wall_us = typeof wall_time_s === 'number' ? Math.round(wall_time_s * 1e6) : 0;
  return [
    typeof step === 'string' ? step : '',
    ts_us - wall_us,
    ts_us,
    status === 'error' ? 'error' : '',
    typeof error_type === 'string' ? error_type : '',
    typeof process_time_s === 'number' ? process_time_s : 0,
  ];
}

function streamOfKey(key: string, prefix: string): Stream | undefined {
  return key.startsWith(prefix) ? streamOf(key.slice(prefix.length)) : undefined;
}

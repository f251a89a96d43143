import type { EventTable } from '../fields.ts';
import type { Assembler, EventRow, Tasks } from './assembler.ts';
import {
  failed,
  isLifecycle,
  learn,
  recordOf,
  text,
  tooMany,
  type RhapsodyTask,
  type TaskName,
} from './rhapsody-task.ts';

/** What all tasks of a session have in common, and whether it still speaks. */
interface Session {
  /** When it was last heard of, to within HEARD_MS, on the clock of the stage. */
  heard_ms: number;
  ended_us?: number;
  /** It has ended, and some of its tasks are still to be closed for that. */
  closing?: true;
  fields: Record<string, unknown>;
}

/** Columns of a task that are those of its session. */
const SHARED =
  'execution_id workflow task_version project domain namespace pod pod_uid container node app component labels k8s_enriched trace_id'.split(
    ' ',
  );

const OPEN = 'rhapsody open ';
const DONE = 'rhapsody done ';
const SESSION = 'rhapsody session ';

const HEARD_MS = 10_000;
const SWEEP_MS = 60_000;
/** So many are closed at a time: their rows are one record, and a session may leave tens of thousands. */
const MOST_AT_ONCE = 2_000;
/** For how long a task is remembered whose end was told, and one whose end may still be told. */
const TOLD_MS = 3_600_000;
const UNTOLD_MS = 7 * 86_400_000;
/** More tasks that are done are not remembered, but for those that open ones wait for. */
const MOST_DONE = 20_000;

/**
 * Tasks of RHAPSODY and AsyncFlow, by session and id.
 *
 *   open  until its end is told. Then its one row is written, and it is done.
 *   done  for some time yet: a late event corrects the row, and who depends on it asks when it ended.
 *
 * An end that is never told: SessionEnded closes what is open, and so does a session that has said nothing for `idle_s`; while its nodes tell of their
 * resources a task may run for days.
 */
export class RhapsodyTasks implements Assembler {
  readonly name = 'rhapsody';
  readonly #idle_ms: number;
  /** Only for when to sweep next; nothing is lost with it. */
  #swept_ms = 0;
  #closed = 0;

  constructor({ idle_s }: { readonly idle_s: number }) {
    this.#idle_ms = idle_s * 1000;
  }

  wants(table: EventTable, dialect: string, kind: string): boolean {
    if (dialect !== 'rhapsody') return false;
    return table === 'resources' || (table === 'events' && (kind === 'task' || kind === 'run'));
  }

  take(row: EventRow, tasks: Tasks): void {
    const { fields, ts_us, committed_ms } = row;
    const id = text(fields['session_id']);
    const event = text(fields['event']) ?? '';
    if (id === undefined) return;
    const session = heard(id, row, tasks);
    if (event === 'SessionEnded') {
      session.ended_us = ts_us;
      session.closing = true;
      tasks.put(SESSION + id, session);
      this.#end(id, session, committed_ms, tasks);
      return;
    }
    const task_id = text(fields['task_id']);
    if (task_id === undefined || !isLifecycle(event)) return;
    const name = nameOf(id, task_id);
    const done = taskAt(DONE + name, tasks);
    // A session that was given the name of an older one counts from 1 again.
    const another = event === 'TaskCreated' && done?.ended !== undefined && ts_us > done.ended;
    if (done !== undefined && !another) {
      if (learn(done, event, row)) this.#close(name, done, done.end_reason, committed_ms, tasks);
      return;
    }
    if (another) tasks.drop(DONE + name);
    const open = taskAt(OPEN + name, tasks) ?? {};
    if (!learn(open, event, row)) return;
    delete open.end_reason;
    if (event === 'asyncflow.TaskResolved') waited(name, open, tasks);
    if (open.ended === undefined) tasks.put(OPEN + name, open);
    else this.#close(name, open, undefined, committed_ms, tasks);
  }

  tick(now_ms: number, tasks: Tasks): void {
    this.#endSessions(now_ms, tasks);
    if (now_ms - this.#swept_ms < Math.min(SWEEP_MS, this.#idle_ms / 2) && this.#closed < MOST_DONE / 2) return;
    this.#swept_ms = now_ms;
    this.#closed = 0;
    const idle = new Set<string>();
    const old = new Set<string>();
    for (const key of tasks.keys(SESSION)) {
      const id = key.slice(SESSION.length);
      const silent_ms = now_ms - sessionAt(id, tasks)!.heard_ms;
      if (silent_ms >= this.#idle_ms + HEARD_MS) idle.add(id);
      if (silent_ms >= this.#idle_ms + UNTOLD_MS) old.add(key);
    }
    for (const [name, task] of openOf(tasks))
      if (idle.has(parts(name).session)) this.#close(name, task, 'idle', now_ms, tasks);
    forget(now_ms, tasks);
    for (const key of old) tasks.drop(key);
  }

  spare(key: string): boolean {
    return key.startsWith(DONE);
  }

  evicted(key: string, now_ms: number, tasks: Tasks): boolean {
    if (!key.startsWith(OPEN)) return false;
    this.#close(key.slice(OPEN.length), taskAt(key, tasks)!, 'evicted', now_ms, tasks);
    return true;
  }

  /** What is open is told, and stays open: another run may go on where this one ended. */
  over(now_ms: number, tasks: Tasks): boolean {
    if (this.#endSessions(now_ms, tasks)) return true;
    let told = 0;
    for (const [name, task] of openOf(tasks)) {
      if (task.end_reason !== undefined) continue;
      if (++told > MOST_AT_ONCE) return true;
      task.end_reason = 'input_ended';
      tell(name, task, tasks);
      tasks.put(OPEN + name, task);
    }
    return false;
  }

  /** Closes tasks of sessions that have ended; true when some are left. */
  #endSessions(now_ms: number, tasks: Tasks): boolean {
    let more = false;
    for (const key of tasks.keys(SESSION)) {
      const id = key.slice(SESSION.length);
      const session = sessionAt(id, tasks)!;
      if (session.closing === true && this.#end(id, session, now_ms, tasks)) more = true;
    }
    return more;
  }

  /** The same of one session. */
  #end(id: string, session: Session, now_ms: number, tasks: Tasks): boolean {
    const open = openOf(tasks, id);
    for (const [name, task] of open.slice(0, MOST_AT_ONCE)) this.#close(name, task, 'session_ended', now_ms, tasks);
    if (open.length > MOST_AT_ONCE) return true;
    delete session.closing;
    tasks.put(SESSION + id, session);
    return false;
  }

  /** Tells the task as it is and puts it aside; without a reason its end was told. */
  #close(name: string, task: RhapsodyTask, reason: string | undefined, now_ms: number, tasks: Tasks): void {
    this.#closed++;
    const upstream_failed = waited(name, task, tasks);
    if (task.ended !== undefined) {
      delete task.end_reason;
      task.revision = (task.revision ?? 0) + 1;
    } else if (reason !== undefined) {
      const never = task.started === undefined && (reason === 'session_ended' || reason === 'idle');
      task.end_reason = never && upstream_failed ? 'upstream_failed' : reason;
    }
    task.closed_ms = now_ms;
    tasks.drop(OPEN + name);
    tell(name, task, tasks);
    tasks.put(DONE + name, task);
  }
}

function taskAt(key: string, tasks: Tasks): RhapsodyTask | undefined {
  return tasks.get(key) as RhapsodyTask | undefined;
}

function sessionAt(id: string, tasks: Tasks): Session | undefined {
  return tasks.get(SESSION + id) as Session | undefined;
}

function nameOf(session: string, id: string): string {
  return `${session.length} ${session} ${id}`;
}

function parts(name: string): TaskName {
  const begin = name.indexOf(' ') + 1;
  const end = begin + Number(name.slice(0, begin));
  return { session: name.slice(begin, end), id: name.slice(end + 1) };
}

function tell(name: string, task: RhapsodyTask, tasks: Tasks): void {
  const named = parts(name);
  const session = sessionAt(named.session, tasks);
  task.day = tasks.emit(recordOf(named, task, session?.fields ?? {}, session?.ended_us));
}

/** The session of a row, which has spoken. The columns are of the first line; those that the pod itself confirms are better. */
function heard(id: string, { fields, committed_ms }: EventRow, tasks: Tasks): Session {
  const known = sessionAt(id, tasks);
  const better = fields['k8s_enriched'] === true && known?.fields['k8s_enriched'] !== true;
  if (known !== undefined && !better && committed_ms - known.heard_ms < HEARD_MS) return known;
  const shared = Object.fromEntries(SHARED.filter((name) => name in fields).map((name) => [name, fields[name]]));
  const session: Session = known ?? { heard_ms: committed_ms, fields: shared };
  session.heard_ms = committed_ms;
  if (better) session.fields = shared;
  tasks.put(SESSION + id, session);
  return session;
}

/** Those that are open, of one session or of all, what was registered first first: it comes before what depends on it. */
function openOf(tasks: Tasks, session?: string): [name: string, task: RhapsodyTask][] {
  const prefix = session === undefined ? OPEN : OPEN + nameOf(session, '');
  const found = Array.from(tasks.keys(prefix), (key): [string, RhapsodyTask] => [
    key.slice(OPEN.length),
    taskAt(key, tasks)!,
  ]);
  return found.sort(([, a], [, b]) => (a.created ?? 0) - (b.created ?? 0));
}

/** Finds out when the last task ended that this one waited for. True when one of them failed, or never ran because of another that did. */
function waited(name: string, task: RhapsodyTask, tasks: Tasks): boolean {
  const { session } = parts(name);
  let wrong = false;
  let latest = 0;
  for (const id of task.depends_on ?? []) {
    const other = taskAt(DONE + nameOf(session, id), tasks);
    if (other !== undefined && failed(other)) wrong = true;
    latest = Math.max(latest, other?.ended ?? Number.POSITIVE_INFINITY);
  }
  if (latest > 0 && latest < Number.POSITIVE_INFINITY && !tooMany(task)) task.upstream = latest;
  return wrong;
}

/** Drops tasks that nobody will ask for. */
function forget(now_ms: number, tasks: Tasks): void {
  const keys = [...tasks.keys(DONE)];
  if (keys.length === 0) return;
  const asked = new Set<string>();
  for (const [name, { depends_on = [] }] of openOf(tasks)) {
    const { session } = parts(name);
    for (const id of depends_on) asked.add(nameOf(session, id));
  }
  let more = keys.length - MOST_DONE;
  // Who was put aside first stands first.
  for (const key of keys) {
    if (asked.has(key.slice(DONE.length))) continue;
    const { closed_ms, ended } = taskAt(key, tasks)!;
    const old = now_ms - closed_ms! >= (ended === undefined ? UNTOLD_MS : TOLD_MS);
    if (old || more > 0) tasks.drop(key);
    else if (ended !== undefined) return;
    more--;
  }
}

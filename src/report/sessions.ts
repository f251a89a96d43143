import { literal } from '../sinks/clickhouse/questions.ts';
import { numberOf, oneOf, rowsOf, textOf, type Row, type Store, type Wanted } from './store.ts';

/** How many tasks there are of each fate: each is counted in `tasks` and in one of the others, but for `submitted`. */
export interface Counts {
  tasks: number;
  submitted: number;
  completed: number;
  failed: number;
  canceled: number;
  /** Registered, and not run when its session was over: what it waited for had failed, or it was canceled. */
  never_run: number;
  /** It began, and its session was over before its end was told. */
  unknown: number;
  running: number;
  /** Registered, in a session that goes on. */
  waiting: number;
}

/** Of the time in which tasks were executed, in seconds. */
export interface Durations {
  readonly total_seconds: number;
  readonly mean_seconds: number;
  readonly min_seconds: number;
  readonly max_seconds: number;
  readonly p50_seconds: number;
  readonly p95_seconds: number;
}

/** Of some tasks together. */
export interface Figures {
  readonly tasks: Counts;
  readonly duration: Durations | undefined;
  /** Seconds by phase, of all tasks together. `scheduler_gap` is part of `dependency_wait`. */
  readonly phases: Readonly<Record<string, number>>;
}

export interface Session extends Figures {
  readonly session_id: string;
  /** Between its start and its end, or what was last heard of it. */
  readonly duration_seconds: number | undefined;
  readonly ended: boolean;
  /** Microseconds since 1970. */
  readonly started_us: number | undefined;
  /** `''`: what belongs to none. */
  readonly workflows: readonly (Figures & { readonly workflow_id: string })[];
}

export const PHASES = ['dependency_wait', 'scheduler_gap', 'queue', 'start_latency', 'execution'] as const;

const MOST_SESSIONS = 10;
const RHAPSODY = "dialect = 'rhapsody'";
const ENDS = "'TaskCompleted', 'TaskFailed', 'TaskCanceled'";

/** The sessions that are wanted, those that were heard of last first; without one named, the last ten. */
export async function sessionsOf(store: Store, has: ReadonlySet<string>, wanted: Wanted): Promise<Session[]> {
  const conditions = [
    RHAPSODY,
    "session_id != ''",
    ...(wanted.session === undefined ? [] : [`session_id = ${literal(wanted.session)}`]),
    ...(wanted.workflow === undefined ? [] : [`workflow_id = ${literal(wanted.workflow)}`]),
  ].join(' AND ');
  const heard = ['tasks', 'events'].filter((table) => has.has(table));
  const from = heard.map((table) => `SELECT session_id, ts FROM ${store.table(table)} WHERE ${conditions}`);
  const sql = `SELECT session_id FROM (${from.join(' UNION ALL ')}) GROUP BY session_id ORDER BY max(ts) DESC LIMIT ${MOST_SESSIONS}`;
  const ids = (await rowsOf(store, sql)).map((row) => textOf(row, 'session_id'));
  const only = wanted.workflow === undefined ? '' : ` AND workflow_id = ${literal(wanted.workflow)}`;
  const where = `${RHAPSODY} AND ${oneOf('session_id', ids)}`;
  const told = await rowsOf(store, toldTasks(store.table('tasks'), where + only));
  const open = has.has('events') ? await rowsOf(store, openTasks(store, where, only)) : [];
  const lives = has.has('events') ? await rowsOf(store, lifeOf(store.table('events'), where)) : [];
  return ids.map((id): Session => {
    const own = (row: Row): boolean => textOf(row, 'session_id') === id;
    const life = lives.find(own);
    const ended = numberOf(life ?? {}, 'ended') === 1;
    const groups = told.filter(own);
    const pending = open.filter(own);
    const names = new Set(
      [...groups, ...pending].filter((row) => !whole(row)).map((row) => textOf(row, 'workflow_id')),
    );
    const workflows = [...names].sort().map((workflow_id) => {
      const of = (row: Row): boolean => !whole(row) && textOf(row, 'workflow_id') === workflow_id;
      return { workflow_id, ...figures(groups.find(of), pending.filter(of), ended) };
    });
    return {
      session_id: id,
      duration_seconds: numberOf(life ?? {}, 'seconds'),
      ended,
      started_us: numberOf(life ?? {}, 'started_us'),
      ...figures(groups.find(whole), pending, ended),
      workflows,
    };
  });
}

function whole(row: Row): boolean {
  return numberOf(row, 'whole') === 1;
}

/** Per session, and per workflow in it. A block is a name for tasks, and none itself. */
function toldTasks(table: string, where: string): string {
  const never = "status = 'unknown' AND ts_started IS NULL";
  const begun = "status = 'unknown' AND ts_started IS NOT NULL";
  // It was told because the input had ended, or for want of room: its session may go on.
  const open = "end_reason IN ('input_ended', 'evicted')";
  return `SELECT session_id, workflow_id, grouping(workflow_id) AS whole, count() AS tasks,
  countIf(ts_submitted IS NOT NULL) AS submitted, countIf(status = 'success') AS completed,
  countIf(status = 'error') AS failed, countIf(status = 'canceled') AS canceled,
  countIf(${never} AND NOT ${open}) AS never_run,
  countIf(${begun} AND NOT ${open}) AS unknown,
  countIf(status = 'running' OR (${begun} AND ${open})) AS running, countIf(${never} AND ${open}) AS waiting,
  countIf(wall_time_s IS NOT NULL) AS executed, sum(wall_time_s) AS total_seconds, min(wall_time_s) AS min_seconds,
  max(wall_time_s) AS max_seconds, quantileExactInclusive(0.5)(wall_time_s) AS p50_seconds,
  quantileExactInclusive(0.95)(wall_time_s) AS p95_seconds,
  ${PHASES.map((phase) => `sum(phases['${phase}']) AS ${phase}, countIf(mapContains(phases, '${phase}')) AS has_${phase}`).join(',\n  ')}
FROM ${table} FINAL WHERE ${where} AND event = 'task'
GROUP BY GROUPING SETS ((session_id), (session_id, workflow_id))`;
}

/** Those of which nothing was told yet: a task has its row when it ends. */
function openTasks(store: Store, where: string, only: string): string {
  return `SELECT session_id, workflow_id, count() AS tasks, sum(was_submitted) AS submitted, sum(was_started) AS running
FROM (
  SELECT session_id, task_id, max(workflow_id) AS workflow_id, max(event = 'TaskSubmitted') AS was_submitted,
    max(event = 'TaskStarted') AS was_started
  FROM ${store.table('events')} WHERE ${where} AND kind = 'task' AND task_id != '' AND NOT match(task_id, '^block\\\\.[0-9]+$')
  GROUP BY session_id, task_id HAVING max(event IN (${ENDS})) = 0
) AS begun
LEFT ANTI JOIN (SELECT session_id, task_id FROM ${store.table('tasks')} WHERE ${where}) AS told USING (session_id, task_id)
WHERE 1${only} GROUP BY session_id, workflow_id`;
}

/** When a session began and ended. What it says itself counts, and for one that has not ended what was last heard of it. */
function lifeOf(table: string, where: string): string {
  return `SELECT session_id, countIf(event = 'SessionEnded') > 0 AS ended,
  toUnixTimestamp64Micro(if(countIf(event = 'SessionStarted') > 0, minIf(ts, event = 'SessionStarted'), min(ts))) AS started_us,
  toUnixTimestamp64Micro(if(ended, maxIf(ts, event = 'SessionEnded'), max(ts))) AS ended_us,
  ifNull(maxIf(wall_time_s, event = 'SessionEnded'), (ended_us - started_us) / 1e6) AS seconds
FROM ${table} WHERE ${where} AND kind IN ('run', 'task') GROUP BY session_id`;
}

function figures(told: Row | undefined, open: readonly Row[], ended: boolean): Figures {
  const row = told ?? {};
  const count = (name: string): number => numberOf(row, name) ?? 0;
  const more = (name: string): number => open.reduce((sum, each) => sum + (numberOf(each, name) ?? 0), 0);
  // A session that is over runs nothing any more, whatever was read of it.
  const running = count('running') + more('running');
  const waiting = count('waiting') + more('tasks') - more('running');
  const tasks: Counts = {
    tasks: count('tasks') + more('tasks'),
    submitted: count('submitted') + more('submitted'),
    completed: count('completed'),
    failed: count('failed'),
    canceled: count('canceled'),
    never_run: count('never_run') + (ended ? waiting : 0),
    unknown: count('unknown') + (ended ? running : 0),
    running: ended ? 0 : running,
    waiting: ended ? 0 : waiting,
  };
  const phases = PHASES.filter((phase) => count(`has_${phase}`) > 0).map((phase) => [phase, count(phase)]);
  const executed = count('executed');
  const duration =
    executed === 0
      ? undefined
      : {
          total_seconds: count('total_seconds'),
          mean_seconds: count('total_seconds') / executed,
          min_seconds: count('min_seconds'),
          max_seconds: count('max_seconds'),
          p50_seconds: count('p50_seconds'),
          p95_seconds: count('p95_seconds'),
        };
  return { tasks, duration, phases: Object.fromEntries(phases) as Record<string, number> };
}

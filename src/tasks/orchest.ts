import type { Assembler, EventRow, Tasks } from './assembler.ts';
import { taskKey } from './row.ts';

/** What is known of a run. Times in microseconds since 1970. */
interface Run {
  /** Its type without the last word. */
  readonly event: string;
  created_us?: number;
  started_us?: number;
  ended_us?: number;
  /** As its last event said it; the last word counts. */
  status: string;
  /** Columns as they were last said. */
  columns: Record<string, unknown>;
  /** Of a run of a cron job: when the last of its pipeline runs ended, of those that were told so far. */
  last_us?: number;
  /** How often it was told. */
  revision: number;
  /** `task_day` of its rows. */
  day?: string;
  /** What was told of it. */
  told?: string;
  touched_ms: number;
}

const DAY_MS = 86_400_000;
/** A run may wait for a day and take another; one of which nothing was heard for a week has no end that would come. */
const IDLE_MS = 7 * DAY_MS;
/** Deliveries are tried again for ever, but at least once an hour. */
const LATE_MS = 2 * 3_600_000;

const ENDS: ReadonlySet<unknown> = new Set(['success', 'error', 'canceled']);
/** Of the row, as it is told. Its name is that of its pipeline. */
const COLUMNS = ['execution_id', 'workflow', 'workflow_id', 'project', 'app', 'component', 'params'];

/**
 * Runs of Orchest's pipelines and cron jobs: it tells when one was created, started and ended, and no durations. `queue` is from created to started, `execution` from started to the end.
 *
 * Deliveries come in any order and again: what comes late corrects. A run of a cron job is called failed with its first failed pipeline run, while others still run: its end moves with theirs.
 */
export class OrchestRuns implements Assembler {
  readonly name = 'orchest';

  wants(table: string, dialect: string, kind: string): boolean {
    return table === 'events' && dialect === 'orchest' && kind === 'run';
  }

  take({ fields, ts_us, committed_ms }: EventRow, tasks: Tasks): void {
    const { execution_id, event, status } = fields;
    if (typeof execution_id !== 'string' || typeof event !== 'string' || typeof status !== 'string') return;
    const key = `${this.name} ${execution_id}`;
    const known = tasks.get(key) as Run | undefined;
    const base = event.slice(0, event.lastIndexOf(':'));
    const run = known ?? { event: base, status: 'unknown', columns: {}, revision: 0, touched_ms: committed_ms };
    if (ENDS.has(status)) {
      run.ended_us = Math.max(run.ended_us ?? 0, ts_us);
      run.status = status;
      if (typeof fields['message'] === 'string') run.columns['message'] = fields['message'];
    } else if (status === 'running') run.started_us = Math.min(run.started_us ?? ts_us, ts_us);
    else run.created_us = Math.min(run.created_us ?? ts_us, ts_us);
    // What came before the end, and later than it, knows less.
    if (run.ended_us === undefined || ENDS.has(status)) keep(run, fields);
    if (run.ended_us === undefined && status === 'running') run.status = status;
    run.touched_ms = committed_ms;
    this.#tell(key, run, tasks);
    if (ENDS.has(status)) this.#around(fields, ts_us, tasks);
  }

  tick(now_ms: number, tasks: Tasks): void {
    for (const key of tasks.keys(`${this.name} `)) {
      const run = tasks.get(key) as Run;
      const idle_ms = now_ms - run.touched_ms;
      // The longest not touched come first.
      if (idle_ms < LATE_MS) return;
      if (run.ended_us !== undefined) tasks.drop(key);
      else if (idle_ms >= IDLE_MS) {
        this.#emit(key, run, 'idle', tasks);
        tasks.drop(key);
      }
    }
  }

  evicted(key: string, _now_ms: number, tasks: Tasks): boolean {
    const run = tasks.get(key) as Run;
    if (run.ended_us !== undefined) return false;
    this.#emit(key, run, 'evicted', tasks);
    return true;
  }

  over(_now_ms: number, tasks: Tasks): void {
    for (const key of tasks.keys(`${this.name} `)) {
      const run = tasks.get(key) as Run;
      if (run.ended_us !== undefined) continue;
      this.#emit(key, run, 'input_ended', tasks);
      tasks.put(key, run);
    }
  }

  /** The run of a cron job that a pipeline run is part of ends with its last. */
  #around(fields: EventRow['fields'], ts_us: number, tasks: Tasks): void {
    const { 'job.uuid': job, 'run.number': number } = (fields['attributes'] ?? {}) as Record<string, string>;
    const key = `${this.name} ${job}/${number}`;
    if (job === undefined || number === undefined || fields['execution_id'] === `${job}/${number}`) return;
    const run = tasks.get(key) as Run | undefined;
    if (run === undefined) return;
    run.last_us = Math.max(run.last_us ?? 0, ts_us);
    this.#tell(key, run, tasks);
  }

  /** Says what is known of a run that has ended, unless that was said already. */
  #tell(key: string, run: Run, tasks: Tasks): void {
    if (run.ended_us !== undefined) {
      const { created_us, started_us, status, columns } = run;
      const ended_us = Math.max(run.ended_us, run.last_us ?? 0);
      const said = JSON.stringify([created_us, started_us, ended_us, status, columns]);
      if (said !== run.told) {
        run.told = said;
        run.revision += 1;
        this.#emit(key, run, 'completed', tasks);
      }
    }
    tasks.put(key, run);
  }

  #emit(key: string, run: Run, end_reason: string, tasks: Tasks): void {
    const { event, created_us, started_us, columns, revision } = run;
    const ended_us = run.ended_us === undefined ? undefined : Math.max(run.ended_us, run.last_us ?? 0);
    const phases = { queue: seconds(created_us, started_us), execution: seconds(started_us, ended_us) };
    const { execution, ...rest } = phases;
    run.day = tasks.emit({
      task_day: run.day,
      task_key: taskKey(key),
      ts_us: ended_us ?? started_us ?? created_us ?? 0,
      revision,
      fields: {
        ...columns,
        task: columns['workflow'],
        dialect: 'orchest',
        event,
        kind: 'task',
        status: ended_us === undefined ? 'unknown' : run.status,
        ts_start: started_us,
        wall_time_s: execution,
        end_reason,
        ts_created: created_us,
        ts_started: started_us,
        phases: execution === undefined && rest.queue === undefined ? undefined : phases,
      },
    });
  }
}

function keep({ columns }: Run, fields: EventRow['fields']): void {
  for (const name of COLUMNS) if (fields[name] !== undefined) columns[name] = fields[name];
  const { uuid: _, ...attributes } = (fields['attributes'] ?? {}) as Record<string, string>;
  columns['attributes'] = attributes;
}

/** Undefined where an end of it is not known, or the clocks of two deliveries disagree. */
function seconds(from_us: number | undefined, to_us: number | undefined): number | undefined {
  return from_us === undefined || to_us === undefined || to_us < from_us ? undefined : (to_us - from_us) / 1e6;
}

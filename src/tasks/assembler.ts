import type { EventTable } from '../fields.ts';
import type { StepRow } from './step-rows.ts';

/** A row of the spool as an assembler sees it. */
export interface EventRow {
  readonly table: EventTable;
  /** Source of the record: what tells streams apart that no pod is known of. */
  readonly source: string;
  /** Its `ts`, in microseconds since 1970. */
  readonly ts_us: number;
  /** The parsed JSON of the row; of a step without its times and its name as it was written. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Columns that many rows have alike: the same object for the same ones. */
  readonly about: object;
  /** Of most rows of steps what is the step's own; `fields` are put together only when somebody asks. */
  readonly step?: Pick<StepRow, 'step' | 'status' | 'wall_time_s' | 'process_time_s'> | undefined;
  /** On the clock of `tick`. */
  readonly committed_ms: number;
}

/**
 * Puts tasks together from the rows of one producer, in the order in which they were committed. All that it knows is in `tasks`, as JSON: it may be made anew between any two calls, and has no
 * state of its own.
 *
 * `now_ms` is a clock of the stage's own: it goes as the rows' commits went, and while nothing comes as time does, but it stands while steptap does not run. So what was idle only because nobody
 * read is not taken for idle. It began as milliseconds since 1970, and is good for differences alone.
 */
export interface Assembler {
  /** Keys of what it keeps begin with it and a blank. */
  readonly name: string;
  /** By the labels that travel beside rows, so that others are not parsed. */
  wants(table: EventTable, dialect: string, kind: string): boolean;
  take(row: EventRow, tasks: Tasks): void;
  /** About once a second: closes what has been idle too long. */
  tick(now_ms: number, tasks: Tasks): void;
  /** True for what is kept only so that it may be corrected: it is given up before anything else. */
  spare?(key: string): boolean;
  /** There is no room for what is under that key, the oldest: it is about to be dropped. What is open is told as it is, with `end_reason: evicted`; true when it was. */
  evicted(key: string, now_ms: number, tasks: Tasks): boolean;
  /**
   * All sources have come to their ends: what is open is told as it is, `end_reason: input_ended`, and what waited for a late line is closed. True when that was as much as one record should hold, and
   * there is more: then it is called again.
   */
  over(now_ms: number, tasks: Tasks): boolean | void;
}

/** What assemblers keep, as JSON by key: durable, in one record with the tasks that were told and the position of the rows they were made of. Bounded by the stage. */
export interface Tasks {
  has(key: string): boolean;
  /** Parsed, undefined when there is none; the same object until the rows taken now are committed. What was changed in it counts once it was put. */
  get(key: string): unknown;
  /** It is the newest of all from now on. */
  put(key: string, value: object): void;
  drop(key: string): void;
  /** Those that begin so, as they are now; the longest not put first. */
  keys(prefix: string): Iterable<string>;
  /** A row of table `tasks`. Gives its `task_day`, to be kept and given with every later row of that task: search engines keep one row a key only within one index. */
  emit(task: TaskRecord): string;
  /** Counts a row that came when its task was not known any more. */
  late(): void;
}

/** What is known of a task now. The row of the highest version counts; the stage gives versions. */
export interface TaskRecord {
  /** 32 hex digits of a SHA-256 over what the task is: see `taskKey`. */
  readonly task_key: string;
  /** When it ended, or what was last heard of it. */
  readonly ts_us: number;
  /** 0 while the end is not known (running, missing), 1 when it is for the first time, more for corrections. */
  readonly revision: number;
  /** As `emit` gave it for the first row. */
  readonly task_day?: string | undefined;
  /** Columns of `tasks` by name, without `ts`, `task_key`, `version` and `revision`; times in microseconds since 1970. What is undefined is not written. */
  readonly fields: Readonly<Record<string, unknown>>;
}

import { TS_END, TS_START, type Batch, type Rows } from '../batch.ts';
import { OVER, type Clock } from '../clock.ts';
import { EVENT_TABLES, type EventTable } from '../fields.ts';
import type { Stage } from '../pipeline.ts';
import { Counter, type Registry } from '../prom-client.ts';
import { RowsBuilder } from '../rows.ts';
import type { Slabs } from '../slabs.ts';
import type { Mark } from '../spool/mark.ts';
import type { Spool, SpoolReader, SpoolRecord, TakeLimits } from '../spool/spool.ts';
import { formatTime, parseTime } from '../time.ts';
import type { Assembler, EventRow, TaskRecord, Tasks } from './assembler.ts';
import { Kept, mostIn, type Most } from './kept.ts';
import { taskRow } from './row.ts';
import { StepRows, type StepRow } from './step-rows.ts';
import { Passing } from './passing.ts';

/** Name of the source that its records are of. */
export const TASKS = 'stage:tasks';

/** Half a second more or less is nothing to a task, and what is open is written with every block. */
const LIMITS: TakeLimits = { max_rows: 10_000, max_bytes: 8 << 20, linger_ms: 500 };
const TICK_MS = 1_000;

export interface TaskStageOptions {
  readonly spool: Spool;
  readonly clock: Clock;
  readonly slabs: Slabs;
  readonly registry: Registry;
  /** Of what assemblers keep. */
  readonly most?: Most;
}

/** Where the stage stands. */
interface Standing {
  readonly seq: number;
  readonly mark: Mark;
  /** Its own clock. */
  readonly now_ms: number;
  /** The highest that it has given. */
  readonly version: number;
}

/**
 * Makes tasks of rows: reads the spool as a lane, and appends to it as a source whose position is the record that it has read. What it tells, where it stands and what it remembers are one record:
 * so a kill loses nothing and repeats nothing, it goes on behind the last record of its own that was committed. A block in which nothing is of interest leaves no record; it would be read again.
 *
 * It never waits for room in the spool: who makes room must not.
 */
export class TaskStage implements Stage, Tasks {
  readonly name = 'tasks';
  /** None while nobody takes tasks: then rows are passed over. */
  assemblers: readonly Assembler[] = [];
  readonly #spool: Spool;
  readonly #clock: Clock;
  readonly #reader: SpoolReader;
  readonly #kept: Kept;
  readonly #rows: RowsBuilder;
  readonly #passing: Passing;
  readonly #steps = new StepRows();
  readonly #late: Counter;
  readonly #evicted: Counter;
  #version: number;
  #ticked_ms = 0;
  #complete = false;

  constructor({ spool, clock, slabs, registry, most = mostIn(spool.usage()) }: TaskStageOptions) {
    this.#spool = spool;
    this.#clock = clock;
    const stood = spool.positions.get(TASKS) as Standing | undefined;
    this.#reader = spool.reader(TASKS, { until: 'sources', settled: stood });
    this.#kept = new Kept(() => spool.state(TASKS), most);
    this.#rows = new RowsBuilder('tasks', slabs);
    this.#passing = new Passing(spool.src, clock, stood?.now_ms ?? clock.wall());
    this.#version = stood?.version ?? 0;
    const registers = [registry];
    this.#late = new Counter({
      name: 'steptap_task_late_rows_total',
      help: 'Rows that came when their task was closed for too long to be corrected',
      registers,
    });
    this.#evicted = new Counter({
      name: 'steptap_task_evicted_total',
      help: 'Tasks that were told unfinished, for want of room for what is open',
      registers,
    });
  }

  complete(): void {
    this.#complete = true;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const records = await this.#next(signal);
      if (signal.aborted) return;
      if (records === 'over') break;
      for (const record of records) this.#take(record);
      if (records.length === 0) this.#tick(this.#passing.wait());
      if (!(await this.#settle(records.at(-1), signal))) return;
    }
    if (!this.#complete) return;
    for (const assembler of this.assemblers) {
      while (assembler.over(this.#passing.now_ms, this) === true) {
        if (!(await this.#settle(undefined, signal))) return;
      }
    }
    await this.#settle(undefined, signal);
  }

  /** The next records; none when a second has passed. */
  async #next(signal: AbortSignal): Promise<readonly SpoolRecord[] | 'over'> {
    // Not AbortSignal.any: Node 20 keeps something of each for as long as the run's own signal lives.
    const waited = new AbortController();
    const over = new AbortController();
    const stop = (): void => waited.abort(OVER);
    let passed = false;
    signal.addEventListener('abort', stop, { once: true, signal: over.signal });
    void this.#clock.sleep(TICK_MS, over.signal).then(() => {
      passed = true;
      stop();
    });
    if (signal.aborted) stop();
    const records = await this.#reader.take(LIMITS, waited.signal);
    const ended = records.length === 0 && !passed;
    over.abort(OVER);
    return ended ? 'over' : records;
  }

  #take(record: SpoolRecord): void {
    const { batch, src, committed_at } = record;
    this.#passing.pass(src, committed_at);
    if (batch.source !== TASKS) {
      for (const rows of batch.rows) if (isEvents(rows)) this.#read(rows, batch.source);
    }
    this.#tick(this.#passing.now_ms);
  }

  #read(rows: EventRows, source: string): void {
    const { table, bytes, ends, tuple, dictionary } = rows;
    const wanting = dictionary.map(({ dialect, kind }) =>
      this.assemblers.filter((assembler) => assembler.wants(table, dialect, kind)),
    );
    if (wanting.every((none) => none.length === 0)) return;
    const committed_ms = this.#passing.now_ms;
    for (let n = 0; n < ends.length; n++) {
      const assemblers = wanting[tuple[n]!]!;
      if (assemblers.length === 0) continue;
      const start = n === 0 ? 0 : ends[n - 1]!;
      const step = table === 'steps' ? this.#steps.read(bytes.latin1Slice(start, ends[n])) : undefined;
      const ts_us = parseTime(bytes.toString('latin1', start + TS_START, start + TS_END - 1))!.us;
      const row =
        step === undefined
          ? wholeRow(table, source, ts_us, JSON.parse(bytes.toString('utf8', start, ends[n])) as Fields, committed_ms)
          : new StepEvent(source, ts_us, step, committed_ms);
      for (const assembler of assemblers) assembler.take(row, this);
    }
  }

  #tick(now_ms: number): void {
    if (now_ms - this.#ticked_ms < TICK_MS) return;
    this.#ticked_ms = now_ms;
    for (const assembler of this.assemblers) assembler.tick(now_ms, this);
    const of = (key: string): Assembler | undefined => this.assemblers.find(({ name }) => key.startsWith(`${name} `));
    for (const key of this.#kept.surplus((each) => of(each)?.spare?.(each) === true)) {
      const assembler = of(key);
      if (assembler?.evicted(key, now_ms, this) === true) this.#evicted.inc();
      this.#kept.drop(key);
    }
  }

  /** Commits what was made, with the records that it was made of. False when the run is over first. */
  async #settle(last: SpoolRecord | undefined, signal: AbortSignal): Promise<boolean> {
    const seq = last?.seq ?? this.#reader.settled.seq;
    const tasks = this.#rows.take();
    const state = this.#kept.change();
    if (tasks !== undefined || state !== undefined) {
      const mark = last === undefined ? this.#reader.settled.mark : this.#reader.passed;
      const position: Standing = { seq, mark, now_ms: this.#passing.now_ms, version: this.#version };
      const batch: Batch = {
        source: TASKS,
        position: { ...position },
        lines: 0,
        rows: tasks === undefined ? [] : [tasks],
        state,
      };
      if (!(await this.#append(batch, signal))) return false;
      this.#kept.settle();
    }
    if (last === undefined) return true;
    this.#reader.advance(seq);
    this.#reader.keep(seq);
    return true;
  }

  /** A full disk is waited for, but not beyond the end of the run; a spool that has failed ends the run. What is not committed is made again by the next. */
  async #append(batch: Batch, signal: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const aborted = new Promise<boolean>((done) => {
      const stop = (): void => done(false);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true, signal: over.signal });
    });
    const appended = this.#spool.append(batch, { reserved: true }).then(
      () => true,
      () => false,
    );
    const done = await Promise.race([appended, aborted]);
    over.abort(OVER);
    return done;
  }

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  get(key: string): unknown {
    return this.#kept.get(key);
  }

  put(key: string, value: object): void {
    this.#kept.put(key, value);
  }

  drop(key: string): void {
    this.#kept.drop(key);
  }

  keys(prefix: string): Iterable<string> {
    return this.#kept.keys(prefix);
  }

  emit(task: TaskRecord): string {
    this.#version = Math.max(this.#version + 1, Math.floor(this.#clock.wall()) * 1000);
    const { task_day = formatTime(this.#version).slice(0, 10) } = task;
    const { row, tuple, duration } = taskRow({ ...task, task_day }, this.#version);
    this.#rows.add(row, tuple, duration);
    return task_day;
  }

  late(): void {
    this.#late.inc();
  }
}

type Fields = Readonly<Record<string, unknown>>;

function wholeRow(table: EventTable, source: string, ts_us: number, fields: Fields, committed_ms: number): EventRow {
  return { table, source, ts_us, fields, about: fields, committed_ms };
}

class StepEvent implements EventRow {
  readonly table = 'steps';
  readonly source: string;
  readonly ts_us: number;
  readonly step: StepRow;
  readonly committed_ms: number;

  constructor(source: string, ts_us: number, step: StepRow, committed_ms: number) {
    this.source = source;
    this.ts_us = ts_us;
    this.step = step;
    this.committed_ms = committed_ms;
  }

  get about(): object {
    return this.step.about;
  }

  get fields(): Fields {
    return this.step.fields;
  }
}

type EventRows = Rows & { readonly table: EventTable };

function isEvents(rows: Rows): rows is EventRows {
  return (EVENT_TABLES as readonly string[]).includes(rows.table);
}

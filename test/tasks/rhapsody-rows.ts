import { readFileSync } from 'node:fs';
import type { Assembler, EventRow, TaskRecord } from '../../src/tasks/assembler.ts';
import { Kept, MOST } from '../../src/tasks/kept.ts';

/** 2026-06-16, when the sample session began, in microseconds. */
export const T0_US = 1_781_613_000_125_000;

/** A row of a task event, `at_s` seconds after the sample session began. */
export function event(name: string, id: string, at_s: number, more: Readonly<Record<string, unknown>> = {}): EventRow {
  const ts_us = T0_US + Math.round(at_s * 1e6);
  const kind = name.startsWith('Session') ? 'run' : 'task';
  const fields = { dialect: 'rhapsody', event: name, kind, session_id: 's', ...(id === '' ? {} : { task_id: id }) };
  const all = { ...fields, ...more };
  return { table: 'events', source: 'stdin', ts_us, committed_ms: ts_us / 1000, fields: all, about: all };
}

/** The rows that the dialect makes of a file, as far as they concern tasks. */
export function rowsOf(file: string): EventRow[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line.replaceAll('Infinity', 'null')) as Record<string, unknown>);
  return events
    .filter(
      (line) => line['section'] === 'event' && /^(?:Task|Session|asyncflow\.Task)/.test(String(line['event_type'])),
    )
    .map(({ event_type, event_time, session_id, task_id, attributes, backend, error_type }) => {
      const said = attributes as Record<string, unknown>;
      return event(String(event_type), typeof task_id === 'string' ? task_id : '', Number(event_time) - T0_US / 1e6, {
        session_id,
        backend,
        ...(error_type === undefined ? {} : { error_type }),
        ...(said['executable'] === undefined ? {} : { task: said['executable'] }),
        ...(said['depends_on'] === undefined ? {} : { depends_on: said['depends_on'] }),
        ...(said['asyncflow.workflow_id'] === undefined ? {} : { workflow_id: said['asyncflow.workflow_id'] }),
      });
    });
}

/** The table of tasks as a store has it, filled by an assembler that is made anew for every block of rows. */
export class Table {
  readonly rows = new Map<string, TaskRecord & { readonly written: number }>();
  readonly #make: () => Assembler;
  readonly #committed = new Map<string, string>();

  constructor(make: () => Assembler) {
    this.#make = make;
  }

  /** What is kept of tasks that are open. */
  get kept(): ReadonlyMap<string, string> {
    return this.#committed;
  }

  block(work: (assembler: Assembler, tasks: Parameters<Assembler['take']>[1]) => void): this {
    const kept = new Kept(() => this.#committed, { ...MOST, parsed: 0 });
    work(this.#make(), {
      has: (key) => kept.has(key),
      get: (key) => kept.get(key),
      put: (key, value) => kept.put(key, value),
      drop: (key) => kept.drop(key),
      keys: (prefix) => kept.keys(prefix),
      late: () => undefined,
      emit: (task) => {
        const written = (this.rows.get(task.task_key)?.written ?? 0) + 1;
        this.rows.set(task.task_key, { ...task, written });
        return task.task_day ?? 'day 1';
      },
    });
    const { put = [], drop = [] } = kept.change() ?? {};
    for (const key of drop) this.#committed.delete(key);
    for (const [key, value] of put) {
      this.#committed.delete(key);
      this.#committed.set(key, value);
    }
    return this;
  }

  take(...rows: readonly EventRow[]): this {
    return this.block((assembler, tasks) => {
      for (const row of rows) assembler.take(row, tasks);
    });
  }

  /** The columns of a task of session `s`, with the figures of its row. */
  task(id: string, session = 's'): Record<string, unknown> | undefined {
    const found = [...this.rows.values()].find(
      ({ fields }) => fields['task_id'] === id && fields['session_id'] === session,
    );
    if (found === undefined) return undefined;
    const known = Object.entries(found.fields).filter(([, value]) => value !== undefined);
    const { written, revision, ts_us } = found;
    return { ...Object.fromEntries(known), at_s: (ts_us - T0_US) / 1e6, revision, written };
  }
}

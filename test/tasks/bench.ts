import type { EventTable } from '../../src/fields.ts';
import { Kept, MOST } from '../../src/tasks/kept.ts';
import type { Assembler, TaskRecord, Tasks } from '../../src/tasks/assembler.ts';
import { taskRow } from '../../src/tasks/row.ts';
import { parseTime } from '../../src/time.ts';
import type { Fields } from '../support/decode.ts';

/** An assembler by itself. What it keeps goes through JSON after every row, as it does between two records. */
export class Bench implements Tasks {
  readonly told: Fields[] = [];
  lates = 0;
  #committed = new Map<string, string>();
  readonly #kept = new Kept(() => this.#committed, { ...MOST, parsed: 0 });
  readonly #assembler: Assembler;
  #now_ms = 0;
  #version = 0;

  constructor(assembler: Assembler) {
    this.#assembler = assembler;
  }

  /** Things that are open, or can still be corrected. */
  get open(): number {
    return this.#committed.size;
  }

  take(table: EventTable, ...rows: readonly Fields[]): void {
    for (const fields of rows) {
      if (!this.#assembler.wants(table, String(fields['dialect']), String(fields['kind']))) continue;
      const ts_us = parseTime(String(fields['ts']))!.us;
      this.#assembler.take({ table, source: 'test', ts_us, fields, about: fields, committed_ms: this.#now_ms }, this);
      this.#commit();
    }
  }

  /** Time passes, and nothing comes. */
  pass(ms: number): void {
    this.#now_ms += ms;
    this.#assembler.tick(this.#now_ms, this);
    this.#commit();
  }

  over(): void {
    this.#assembler.over(this.#now_ms, this);
    this.#commit();
  }

  #commit(): void {
    const { put = [], drop = [] } = this.#kept.change() ?? {};
    for (const key of drop) this.#committed.delete(key);
    for (const [key, value] of put) {
      this.#committed.delete(key);
      this.#committed.set(key, value);
    }
    this.#kept.settle();
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
    this.told.push(JSON.parse(Buffer.from(taskRow(task, ++this.#version).row, 'latin1').toString('utf8')) as Fields);
    return 'day 1';
  }
  late(): void {
    this.lates += 1;
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../../src/report/store.ts';
import { createStatements } from '../../src/sinks/clickhouse/ddl.ts';
import { openEmbedded, type Embedded } from '../../src/sinks/clickhouse/embedded.ts';
import type { EventRow, TaskRecord } from '../../src/tasks/assembler.ts';
import { taskRow } from '../../src/tasks/row.ts';
import { formatTime } from '../../src/time.ts';

/** The real engine in a directory of its own, with steptap's tables. */
export class RealStore implements Store {
  readonly #engine: Embedded;
  readonly #directory: string;
  #row = 0;

  private constructor(engine: Embedded, directory: string) {
    this.#engine = engine;
    this.#directory = directory;
  }

  static async open(): Promise<RealStore> {
    const directory = await mkdtemp(join(tmpdir(), 'steptap-report-'));
    const engine = await openEmbedded(join(directory, 'clickhouse'));
    for (const statement of createStatements({ database: 'default' })) await engine.query(statement);
    return new RealStore(engine, directory);
  }

  table(name: string): string {
    return name;
  }

  ask(sql: string): Promise<string> {
    return this.#engine.query(sql);
  }

  /** Rows of `events` and `resources`, as the dialect has made them. */
  async events(rows: readonly EventRow[]): Promise<void> {
    for (const table of new Set(rows.map((row) => row.table))) {
      const own = rows.filter((row) => row.table === table);
      await this.#insert(
        table,
        own.map(({ ts_us, fields }) => JSON.stringify({ ts: formatTime(ts_us), ...fields })),
      );
    }
  }

  async tasks(records: readonly TaskRecord[], version: number): Promise<void> {
    await this.#insert(
      'tasks',
      records.map((record) => Buffer.from(taskRow(record, version).row, 'latin1').toString('utf8')),
    );
  }

  async #insert(table: string, rows: readonly string[]): Promise<void> {
    if (rows.length === 0) return;
    const identified = rows.map(
      (row) => `{"_day":"2026-06-16","_src":"t","_seq":1,"_i":${this.#row++},${row.slice(1)}`,
    );
    await this.ask(`INSERT INTO ${table} FORMAT JSONEachRow ${identified.join('\n')}`);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

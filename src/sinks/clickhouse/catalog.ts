import type { Log } from '../../log.ts';
import { SinkError } from '../sink.ts';
import type { Existing } from './compare.ts';
import type { ClickHouseOptions } from './schema.ts';

/** Runs one statement and gives the body of its answer. */
export type Run = (query: string) => Promise<string>;

/** The tables that there are, by name. Names have been through `identifier`, so they need no quoting. */
export async function describeTables(
  run: Run,
  database: string,
  tables: readonly string[],
): Promise<Map<string, Existing>> {
  const list = tables.map((table) => `'${table}'`).join(', ');
  const found = new Map<string, Existing & { columns: string[]; types: Map<string, string> }>();
  const where = `WHERE database = '${database}'`;
  const described = await run(
    `SELECT name, engine, partition_key, engine_full FROM system.tables ${where} AND name IN (${list}) FORMAT JSONEachRow`,
  );
  for (const line of lines(described)) {
    const row = JSON.parse(line) as Omit<Existing, 'columns' | 'types'> & { name: string };
    found.set(row.name, { ...row, columns: [], types: new Map() });
  }
  if (found.size === 0) return found;
  const columns = await run(
    `SELECT table, name, type FROM system.columns ${where} AND table IN (${list}) ORDER BY table, position FORMAT JSONEachRow`,
  );
  for (const line of lines(columns)) {
    const row = JSON.parse(line) as { table: string; name: string; type?: string };
    found.get(row.table)?.columns.push(row.name);
    found.get(row.table)?.types.set(row.name, row.type ?? '');
  }
  return found;
}

/** The lines of an answer in TSV or NDJSON. */
export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** Runs the statements if it may; else holds, with the statements for whoever may. */
export async function apply(
  run: Run,
  options: ClickHouseOptions,
  statements: readonly string[],
  log: Log,
): Promise<void> {
  if (statements.length === 0) return;
  const toRun = `run:\n${statements.join(';\n')};`;
  if (options.create === 'never') {
    throw new SinkError('hold', 'schema', `ClickHouse lacks what steptap needs, and \`create\` is never; ${toRun}`);
  }
  for (const statement of statements) {
    try {
      await run(statement);
    } catch (error) {
      if (!(error instanceof SinkError) || error.failure === 'retry') throw error;
      throw new SinkError('hold', error.code, `${error.message}; let steptap make what it needs, or ${toRun}`);
    }
    log('info', `ClickHouse: ${statement.split(/ ?\(?\n/, 1)[0]}`);
  }
}

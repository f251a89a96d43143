import { literal } from '../sinks/clickhouse/questions.ts';

/** What is asked of a store that speaks ClickHouse's SQL. */
export interface Store {
  table(name: string): string;
  ask(sql: string): Promise<string>;
}

/** Which tasks are meant. */
export interface Wanted {
  readonly session?: string | undefined;
  readonly workflow?: string | undefined;
}

export type Row = Readonly<Record<string, unknown>>;

export async function rowsOf(store: Store, sql: string): Promise<Row[]> {
  const text = await store.ask(`${sql}\nFORMAT JSONEachRow`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}

/** A number of a row, which is text where it has 64 bits; undefined where there is none. */
export function numberOf(row: Row, name: string): number | undefined {
  const value = row[name];
  return value === null || value === undefined || value === '' ? undefined : Number(value);
}

export function textOf(row: Row, name: string): string {
  const value = row[name];
  return typeof value === 'string' ? value : '';
}

/** The tables of those names that there are. */
export async function tablesIn(store: Store, names: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const name of names) {
    const [answer] = await rowsOf(store, `EXISTS TABLE ${store.table(name)}`);
    if (numberOf(answer ?? {}, 'result') === 1) found.add(name);
  }
  return found;
}

export function oneOf(column: string, values: readonly string[]): string {
  return values.length === 0 ? '0' : `${column} IN (${values.map(literal).join(', ')})`;
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import type { Expected, Sinks } from './events.ts';
import { numberIn } from './oracle.ts';

/** A row as a sink has it, as far as the oracle knows of it. */
interface Stored {
  readonly table: string;
  readonly message: string;
  readonly lines: number;
  readonly execution_id: string;
}

export interface OfSink {
  readonly sink: Sinks;
  rows: number;
  readonly lost: string[];
  readonly duplicated: string[];
  /** Stored once, and not what was written. */
  readonly wrong: string[];
  /** In pieces because it was written too slowly to be held together; all of its pieces are there. */
  readonly pieces: string[];
}

export interface Verdict {
  readonly sinks: readonly OfSink[];
  readonly letters: { readonly expected: number; readonly found: number; readonly wrong: readonly string[] };
}

/** Compares what every sink has with what the oracle has written. */
export async function judge(bench: Bench): Promise<Verdict> {
  const sinks: OfSink[] = [];
  for (const sink of ['clickhouse', 'elasticsearch'] as const) {
    const stored = sink === 'clickhouse' ? await rowsOf(bench) : await documentsOf(bench);
    sinks.push(compare(sink, bench, stored));
  }
  return { sinks, letters: lettersOf(bench) };
}

function compare(sink: Sinks, { oracle, file }: Bench, stored: ReadonlyMap<string, readonly Stored[]>): OfSink {
  const result: OfSink = { sink, rows: 0, lost: [], duplicated: [], wrong: [], pieces: [] };
  for (const [number, rows] of stored) {
    result.rows += rows.length;
    if (!oracle.expected.has(number)) result.wrong.push(`${number}: nobody wrote that`);
  }
  for (const [number, expected] of oracle.expected) {
    const rows = stored.get(number) ?? [];
    const wanted = expected.table === 'rejections' || expected.poison?.includes(sink) === true ? 0 : 1;
    if (rows.length < wanted) result.lost.push(`${number} (${expected.table})`);
    else if (rows.length === wanted) {
      const wrong = wanted === 0 ? undefined : difference(expected, rows[0]!);
      if (wrong !== undefined && !file.slow.has(number)) result.wrong.push(`${number}: ${wrong}`);
    } else if (file.slow.has(number) && new Set(rows.map((row) => row.message)).size === rows.length) {
      result.pieces.push(number);
    } else result.duplicated.push(`${number} (${expected.table}) ${rows.length} times`);
  }
  return result;
}

function difference(expected: Expected, row: Stored): string | undefined {
  if (row.table !== expected.table) return `it is in ${row.table}, not in ${expected.table}`;
  if (expected.message !== undefined && row.message !== expected.message) {
    return `it is not whole: ${JSON.stringify(row.message)}`;
  }
  if (expected.lines !== undefined && row.lines !== expected.lines) return `it has ${row.lines} lines`;
  if (expected.execution_id !== undefined && row.execution_id !== expected.execution_id) {
    return `it is blamed on ${JSON.stringify(row.execution_id)}, not on ${expected.execution_id}`;
  }
  return undefined;
}

const COLUMNS: Readonly<Record<string, string>> = {
  steps: "'' AS message, lines, execution_id",
  logs: "message, lines, '' AS execution_id",
  events: 'message, lines, execution_id',
};

async function rowsOf({ clickhouse }: Bench): Promise<Map<string, Stored[]>> {
  const stored = new Map<string, Stored[]>();
  for (const [table, columns] of Object.entries(COLUMNS)) {
    const text = await clickhouse.query(`SELECT ${columns} FROM ${table} FORMAT JSONEachRow`);
    for (const line of text.split('\n')) {
      if (line !== '') put(stored, { table, ...(JSON.parse(line) as Omit<Stored, 'table'>) });
    }
  }
  return stored;
}

async function documentsOf({ search }: Bench): Promise<Map<string, Stored[]>> {
  const stored = new Map<string, Stored[]>();
  for await (const { index, source } of search.documents()) {
    const { message = '', lines = 1, execution_id = '' } = JSON.parse(source) as Partial<Stored>;
    put(stored, { table: index.split('-')[1]!, message, lines, execution_id });
  }
  return stored;
}

function put(stored: Map<string, Stored[]>, row: Stored): void {
  // A captured error is blamed on a step, whose number it has too: its own is in what it says.
  const number = numberIn(row.message) ?? numberIn(row.execution_id) ?? `unknown: ${JSON.stringify(row)}`;
  const list = stored.get(number);
  if (list === undefined) stored.set(number, [row]);
  else list.push(row);
}

/** Every broken line once, and every refused row once for each sink that refused it. */
function lettersOf({ oracle, state }: Bench): Verdict['letters'] {
  const found = new Map<string, number>();
  let count = 0;
  const directory = join(state, 'dead-letters');
  for (const name of readdirSync(directory).sort()) {
    for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
      if (line === '') continue;
      const letter = JSON.parse(line) as { sink?: string; raw?: string };
      const key = `${numberIn(letter.raw ?? '')} ${letter.sink ?? 'line'}`;
      found.set(key, (found.get(key) ?? 0) + 1);
      count += 1;
    }
  }
  const wanted = new Set<string>();
  for (const { number, table, poison = [] } of oracle.expected.values()) {
    if (table === 'rejections') wanted.add(`${number} line`);
    for (const sink of poison) wanted.add(`${number} ${sink}`);
  }
  const wrong = [...wanted].filter((key) => !found.has(key)).map((key) => `${key}: none`);
  for (const [key, times] of found) {
    if (!wanted.has(key)) wrong.push(`${key}: not expected`);
    else if (times > 1) wrong.push(`${key}: ${times} times`);
  }
  return { expected: wanted.size, found: count, wrong };
}

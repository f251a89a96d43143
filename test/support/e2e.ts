// Runs the built command as its users do, and reads back what it stored, in one form for every store.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, vi } from 'vitest';
import { EVENT_TABLES, FIELDS, fieldsOf, IDENTITY, KEYED_TABLES, type EventTable } from '../../src/fields.ts';

/** STEPTAP_MAIN names another build: that of an installed package, say. */
const MAIN = process.env['STEPTAP_MAIN'] ?? fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

// Every run, and every query of the embedded store, is a process of its own.
vi.setConfig({ testTimeout: 90_000 });

const folders: string[] = [];
const children = new Set<ChildProcess>();

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A folder of its own for the caller, gone after the tests of the file. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'steptap-e2e-'));
  folders.push(folder);
  return folder;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has said so far. */
  stderr(): string;
  /** Writes to its standard input; resolves when all of it is taken. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** Ends its standard input; resolves when the process has ended. */
  end(): Promise<Ended>;
  /** The text of its /metrics. */
  metrics(): Promise<string>;
  /** Where it serves them, as `127.0.0.1:9464`. */
  address(): Promise<string>;
}

/** Starts `steptap` with these arguments. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  if (!existsSync(MAIN)) throw new Error(`there is no ${MAIN}: npm run build`);
  // Nothing else of the environment: it may name servers.
  const { PATH = '', HOME = '', TMPDIR = tmpdir() } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH, HOME, TMPDIR, ...env } });
  children.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // It may end before it has read everything, and its end is what the test looks at.
  child.stdin.on('error', () => {});
  const ended = once(child, 'close').then((): Ended => {
    children.delete(child);
    return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
  });
  const address = async (): Promise<string> => {
    for (;;) {
      const found = /"metrics":"http:\/\/([^/"]+)\/metrics"/.exec(stderr)?.[1];
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`steptap ended without serving metrics:\n${stderr}`);
      await sleep(20);
    }
  };
  return {
    child,
    ended,
    stderr: () => stderr,
    write: (bytes) => new Promise((resolve) => child.stdin.write(bytes, () => resolve())),
    end: async () => {
      child.stdin.end();
      return ended;
    },
    address,
    metrics: async () => (await fetch(`http://${await address()}/metrics`)).text(),
  };
}

/** Runs `steptap` to its end, with `input` as its standard input. Rejects with what it said unless it has delivered everything. */
export async function run(
  args: readonly string[],
  options: { input?: string | Uint8Array; env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const running = start(args, options.env);
  if (options.input !== undefined) await running.write(options.input);
  const ended = await running.end();
  if (ended.code !== 0) throw new Error(`exit code ${ended.code ?? ended.signal}:\n${ended.stderr}`);
  return ended;
}

/** Waits until `check` is true; fails with what `describe` says when that takes too long. */
export async function until(check: () => Promise<boolean>, describe: () => string, timeout_ms = 25_000): Promise<void> {
  const deadline = Date.now() + timeout_ms;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited for ${timeout_ms} ms: ${describe()}`);
    await sleep(100);
  }
}

/** Sum of the samples of a metric whose line matches; 0 when there are none. */
export function sample(metrics: string, name: string, label: RegExp | string = ''): number {
  return metrics
    .split('\n')
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.search(label) !== -1)
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** True when every sink has settled all that it was given. */
export function settled(metrics: string): boolean {
  return sample(metrics, 'steptap_sink_accepted_rows_total') > 0 && sample(metrics, 'steptap_sink_pending_rows') === 0;
}

export interface Step {
  readonly step?: string;
  readonly wall_time_s?: number;
  readonly status?: 'success' | 'error';
  readonly execution_id?: string;
  readonly task?: string;
  /** Further members as they are to be written; of a repeated key the last counts. */
  readonly more?: string;
}

/** A line as flytekit's telemetry writes it, without its newline. */
export function stepLine(fields: Step = {}): string {
  const { step = 'Execute user level code', wall_time_s = 1.5, status = 'success' } = fields;
  const { execution_id = 'a7hzqtz5cm6k2dnm7k2w', task = 'workflows.train.fit', more } = fields;
  const known = {
    asctime: '2026-11-20 10:30:44,189',
    name: 'flytekit.telemetry',
    levelname: 'INFO',
    message: 'flytekit_step',
    event: 'flytekit_step',
    step,
    wall_time_s,
    process_time_s: wall_time_s / 2,
    status,
    ...(status === 'error' ? { error_type: 'ValueError' } : {}),
    execution_id,
    task_name: task,
    project: 'ml',
    domain: 'production',
  };
  const members = Object.entries(known).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  return `{${[...members, ...(more === undefined ? [] : [more])].join(', ')}}`;
}

/** A stored row: the fields that it has, in one form for every store. `table` is the table that it was in. */
export type Stored = Readonly<Record<string, unknown>>;

/** Asks a ClickHouse over HTTP. */
export async function ask(url: string, sql: string, database = 'default'): Promise<string> {
  const answer = await fetch(`${url}/?database=${database}`, { method: 'POST', body: sql });
  const body = await answer.text();
  if (!answer.ok) throw new Error(body);
  return body;
}

/** Asks the embedded store with `steptap query`. */
export async function askEmbedded(state: string, sql: string): Promise<string> {
  return (await run(['query', '--state', state, '--format', 'JSONEachRow', sql])).stdout;
}

/** What `FORMAT JSONEachRow` says, parsed. */
export function parsed(text: string): Stored[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Stored);
}

/** Every row of the tables of a ClickHouse, in order; of tasks the last of each. */
export async function clickhouseRows(query: (sql: string) => Promise<string>): Promise<Stored[]> {
  const rows: Stored[] = [];
  for (const table of EVENT_TABLES) {
    const last = KEYED_TABLES.has(table) ? ' FINAL' : '';
    for (const row of parsed(await query(`SELECT * FROM ${table}${last} FORMAT JSONEachRow`)))
      rows.push(ofColumns(table, row));
  }
  return inOrder(rows);
}

/** ClickHouse has a default where a field is absent, and times in its own writing; its String columns hold params as text. */
function ofColumns(table: EventTable, row: Stored): Stored {
  const found: Record<string, unknown> = { table };
  for (const { name, search } of [...fieldsOf(table), ...IDENTITY]) {
    const value = row[name];
    if (value === undefined) throw new Error(`${table} has no column ${name}`);
    if (search === 'date_nanos' && value !== null) {
      const time = `${(value as string).replace(' ', 'T')}Z`;
      if (name === 'ts' || time !== '1970-01-01T00:00:00.000000Z') found[name] = time;
    } else if (name === 'lines' ? value !== 1 : !isDefault(value)) {
      found[name] = name === 'params' || search === 'stored' ? JSON.parse(value as string) : value;
    }
  }
  // A server may write 64 bits as text.
  for (const name of ['_seq', '_i', 'version']) if (row[name] !== undefined) found[name] = Number(row[name]);
  return found;
}

function isDefault(value: unknown): boolean {
  return (
    value === '' ||
    value === null ||
    value === false ||
    (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}

/** Every document of the indices of a prefix, in order. */
export async function searchRows(url: string, prefix: string): Promise<Stored[]> {
  const rows: Stored[] = [];
  for (const table of EVENT_TABLES) {
    await fetch(`${url}/${prefix}-${table}-*/_refresh`, { method: 'POST' });
    const answer = await fetch(`${url}/${prefix}-${table}-*/_search?size=10000`);
    const { hits } = (await answer.json()) as { hits: { hits: { _id: string; _index: string; _source: Stored }[] } };
    for (const { _id, _index, _source } of hits.hits) {
      const { '@timestamp': timestamp, ...fields } = _source;
      if (timestamp !== fields['ts']) throw new Error(`@timestamp of ${_id} is not its ts`);
      const id = fields['task_key'] ?? `${String(fields['_src'])}-${String(fields['_seq'])}-${String(fields['_i'])}`;
      if (_id !== id) throw new Error(_id);
      const _day = _index.slice(-10).replaceAll('.', '-');
      // What cannot be indexed is kept under another name.
      const named = Object.entries(fields).map(([name, value]) => [name.replace(/_unindexed$/, ''), value]);
      rows.push({ ...(Object.fromEntries(named) as Stored), table, _day });
    }
  }
  return inOrder(rows);
}

function inOrder(rows: readonly Stored[]): Stored[] {
  return [...rows].sort((a, b) => Number(a['_seq']) - Number(b['_seq']) || Number(a['_i']) - Number(b['_i']));
}

/** The rows without what differs from run to run: their identity, and a time that is that of the arrival. */
export function contents(rows: readonly Stored[]): string[] {
  return rows
    .map((row) => {
      const { provenance } = row;
      const arrived = typeof provenance === 'string' && provenance.includes('ts:arrival');
      const kept = FIELDS.map(({ name }) => name).filter(
        (name) => name in row && name !== 'version' && !(arrived && (name === 'ts' || name === 'ts_start')),
      );
      return JSON.stringify([row['table'], ...kept.map((name) => [name, row[name]])]);
    })
    .sort();
}

/** The dead letters under a state directory, in the order in which they were written. */
export function deadLetters(state: string): Stored[] {
  const folder = join(state, 'dead-letters');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('rejections-')) : [];
  return names.sort().flatMap((name) => parsed(readFileSync(join(folder, name), 'utf8')));
}

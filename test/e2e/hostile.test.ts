import { isUtf8 } from 'node:buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import {
  ask,
  askEmbedded,
  clickhouseRows,
  contents,
  deadLetters,
  run,
  sample,
  scratch,
  searchRows,
  settled,
  start,
  stepLine,
  until,
  type Stored,
} from '../support/e2e.ts';
import { describeWithServer } from '../support/with-server.ts';
import { HOSTILE, SECRET, SECRETS, type Fate } from './hostile-lines.ts';

const GOOD_TASK = 'workflows.good';
/** What is kept of a line that is too long. */
const HEAD_BYTES = 4096;

/** A good step before, between and behind the hostile lines, then half a step without a newline. */
const good = (n: number): string => stepLine({ execution_id: `good ${n}`, task: GOOD_TASK });
const LAST = stepLine().slice(0, -20);
const INPUT = Buffer.concat([
  ...HOSTILE.flatMap(({ bytes }, n) => [Buffer.from(`${good(n)}\n`), bytes, Buffer.from('\n')]),
  Buffer.from(`${good(HOSTILE.length)}\n${LAST}`),
]);
const LINES = HOSTILE.length * 2 + 2;
const EXECUTIONS = Array.from({ length: HOSTILE.length + 1 }, (_, n) => `good ${n}`);

/** How often the hostile lines become that. */
const become = (wanted: Fate): number => HOSTILE.flatMap(({ fates }) => fates).filter((fate) => fate === wanted).length;
const REASONS: readonly Fate[] = ['line_too_long', 'json_syntax', 'schema'];

/** The dead letters of the input, as they have to be. */
function expectedLetters(): Stored[] {
  const letters: Stored[] = [];
  let offset = 0;
  const add = (reason: Fate, bytes: Buffer, lines: number): void => {
    const cut = reason === 'line_too_long' ? { cut: true } : {};
    const raw = 'cut' in cut ? bytes.subarray(0, HEAD_BYTES) : bytes;
    const kept = isUtf8(raw) ? { raw: raw.toString('utf8') } : { raw_base64: raw.toString('base64') };
    letters.push({ reason, source: 'stdin', offset, lines, ...cut, ...kept });
  };
  for (const [n, { bytes, fates, rejected }] of HOSTILE.entries()) {
    offset += good(n).length + 1;
    const reason = fates.find((fate) => REASONS.includes(fate));
    if (reason !== undefined) add(reason, rejected ?? bytes, rejected === undefined ? 1 : 0);
    offset += bytes.length + 1;
  }
  offset += good(HOSTILE.length).length + 1;
  add('json_syntax', Buffer.from(LAST), 1);
  return letters;
}

/** Of the dead letters, in the order of the input, what has to be. */
function lettersOf(state: string): Stored[] {
  const letters = deadLetters(state).map(({ reason, source, offset, lines, cut, raw, raw_base64 }) =>
    Object.entries({ reason, source, offset, lines, cut, raw, raw_base64 }).filter(([, value]) => value !== undefined),
  );
  return letters.map((letter): Stored => Object.fromEntries(letter)).sort(byOffset);
}

function byOffset(a: Stored, b: Stored): number {
  return Number(a['offset']) - Number(b['offset']);
}

/** Every good step once, and of the hostile lines what they become. */
function checkRows(rows: readonly Stored[]): void {
  const steps = rows.filter(({ table }) => table === 'steps');
  const neighbours = steps.filter(({ task }) => task === GOOD_TASK).map(({ execution_id }) => execution_id);
  expect(neighbours.map(String).sort()).toEqual([...EXECUTIONS].sort());
  expect(steps.length - neighbours.length).toBe(become('steps'));
  expect(rows.filter(({ table }) => table === 'logs')).toHaveLength(become('logs'));
  expect(rows.filter(({ table }) => table === 'events')).toEqual([]);
  expect(new Set(rows.map(({ _seq, _i }) => `${String(_seq)}-${String(_i)}`)).size).toBe(rows.length);
}

/** Physical lines that rows and dead letters took; tasks are made of rows. */
function linesOf(rows: readonly Stored[]): number {
  const read = rows.filter(({ table }) => table !== 'tasks');
  return read.reduce((sum, { lines = 1 }) => sum + Number(lines), 0);
}

/** The lines with a secret, and one that is no UTF-8. */
const MARKED = Buffer.concat([
  Buffer.from(`${SECRETS.join('\n')}\n{"event": "flytekit_step", "step": "`),
  Buffer.from([0xff, 0xfe]),
  Buffer.from(`", "password": "${SECRET}"\n`),
]);

/** Everything that is in the dead letters, with what is in base64 read. */
function lettersText(state: string): string {
  const texts = deadLetters(state).map(({ raw_base64, ...letter }) => {
    const raw = typeof raw_base64 === 'string' ? Buffer.from(raw_base64, 'base64').toString('latin1') : '';
    return JSON.stringify(letter) + raw;
  });
  return texts.join('\n');
}

const times = (text: string): number => text.split(SECRET).length - 1;

describe(`${HOSTILE.length} hostile lines between good ones, and ${SECRETS.length} with a secret`, () => {
  let clickhouse: ClickHouseServer;
  let embedded: Stored[];
  let embeddedState: string;

  beforeAll(async () => {
    clickhouse = await startClickHouse();
    embeddedState = await scratch();
    const args = ['--state', embeddedState, '--metrics', 'none', '--params', 'all'];
    await run(args, { input: INPUT });
    embedded = await clickhouseRows((sql) => askEmbedded(embeddedState, sql));
  });
  afterAll(async () => {
    await clickhouse?.stop();
  });

  test('every good step is once in the embedded store, and each hostile line is an event, a log or a dead letter', () => {
    checkRows(embedded);
    expect(linesOf(embedded) + linesOf(deadLetters(embeddedState)) + become('blank')).toBe(LINES);
  });

  test('every line that is rejected is a dead letter with its reason, its place and its very bytes', () => {
    expect(lettersOf(embeddedState)).toEqual(expectedLetters());
  });

  test('a value whose key is not marked with --mask is wherever its line goes', async () => {
    const state = await scratch();
    const args = ['--state', state, '--metrics', 'none', '--params', 'all'];
    await run(args, { input: MARKED });
    const rows = await clickhouseRows((sql) => askEmbedded(state, sql));
    for (const table of ['steps', 'logs', 'events']) {
      expect([table, times(JSON.stringify(rows.filter((row) => row['table'] === table))) > 0]).toEqual([table, true]);
    }
    expect(times(lettersText(state))).toBeGreaterThanOrEqual(7);
  });

  for (const kind of ['opensearch', 'elasticsearch'] as const) {
    describeWithServer(kind, (server) => {
      test('every good step is once in each of the stores, and every line that was read is accounted for', async () => {
        const state = await scratch();
        const to = ['--clickhouse', clickhouse.url, '--elasticsearch', server().url, '--metrics', '127.0.0.1:0'];
        const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: kind };
        const running = start([...to, '--state', state, '--params', 'all'], env);
        await running.write(INPUT);
        let metrics = '';
        const done = async (): Promise<boolean> => {
          metrics = await running.metrics();
          return sample(metrics, 'steptap_read_lines_total') === LINES - 1 && settled(metrics);
        };
        await until(done, () => metrics + running.stderr());
        expect(await running.end()).toMatchObject({ code: 0, stdout: '' });

        const rows = await clickhouseRows((sql) => ask(clickhouse.url, sql, kind));
        checkRows(rows);
        expect(lettersOf(state)).toEqual(expectedLetters());
        expect(await searchRows(server().url, 'steptap')).toEqual(rows);
        expect(contents(rows)).toEqual(contents(embedded));

        const seen = sample(metrics, 'steptap_step_duration_seconds_count', `task="${GOOD_TASK}"`);
        expect(seen).toBe(EXECUTIONS.length);
        expect(sample(metrics, 'steptap_blank_lines_total')).toBe(become('blank'));
        expect(linesOf(rows) + linesOf(deadLetters(state)) + become('blank')).toBe(LINES);
        for (const sink of ['clickhouse', 'elasticsearch', 'prometheus']) {
          const label = `sink="${sink}"`;
          const accepted = sample(metrics, 'steptap_sink_accepted_rows_total', label);
          expect(sample(metrics, 'steptap_sink_stored_rows_total', label)).toBe(accepted);
        }
      });

      test('a value whose key is marked with --mask is nowhere, though all lines are there', async () => {
        const state = await scratch();
        const database = `masked_${kind}`;
        const to = ['--clickhouse', clickhouse.url, '--elasticsearch', server().url, '--metrics', '127.0.0.1:0'];
        const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: database };
        const running = start(
          [...to, '--state', state, '--params', 'all', '--elasticsearch-prefix', database, '--mask', 'token,password'],
          env,
        );
        await running.write(MARKED);
        let metrics = '';
        const done = async (): Promise<boolean> => {
          metrics = await running.metrics();
          return sample(metrics, 'steptap_read_lines_total') === SECRETS.length + 1 && settled(metrics);
        };
        await until(done, () => metrics + running.stderr());
        const { code, stdout, stderr } = await running.end();
        expect(code).toBe(0);

        const rows = await clickhouseRows((sql) => ask(clickhouse.url, sql, database));
        const documents = await searchRows(server().url, database);
        expect(linesOf(rows) + linesOf(deadLetters(state))).toBe(SECRETS.length + 1);
        expect(documents).toEqual(rows);
        const view = await ask(clickhouse.url, 'SELECT * FROM flytekit_telemetry FORMAT JSONEachRow', database);
        const letters = lettersText(state);
        const places = { rows: JSON.stringify(rows), view, letters, metrics, stdout, stderr };
        const found = Object.entries(places).map(([place, text]) => [place, times(text)]);
        expect(Object.fromEntries(found)).toEqual({ rows: 0, view: 0, letters: 0, metrics: 0, stdout: 0, stderr: 0 });
      });
    });
  }
});

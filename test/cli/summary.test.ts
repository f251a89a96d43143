import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Panels } from '../../src/report/panels.ts';
import { expectUpstream, steps } from '../report/golden.ts';
import { startClickHouse } from '../support/clickhouse-server.ts';
import { Home } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const SAMPLE = readFileSync(
  fileURLToPath(new URL('../fixtures/sample-session.telemetry.jsonl', import.meta.url)),
  'utf8',
);
const SESSION = 'asyncflow.session.5e0a17c4';

const summary = (...args: string[]): ReturnType<Home['start']>['ended'] =>
  home.start(['summary', ...args], { input: '' }).ended;

interface Told {
  readonly tasks: Readonly<Record<string, number>>;
  readonly panels: Panels;
}

test('a run over the sample session stores tasks whose panels have the golden numbers', async () => {
  expect((await home.start(NONE, { input: SAMPLE }).ended).code).toBe(0);
  const upstream = await summary('--json', '--panels', '--upstream');
  expect([upstream.code, upstream.stderr]).toEqual([0, '']);
  const told = JSON.parse(upstream.stdout) as Told;
  expect(told.tasks).toMatchObject({ submitted: 8, completed: 6, failed: 1, canceled: 1, never_run: 1, running: 0 });
  expectUpstream(told.panels);
  const own = await summary('--session', SESSION, '--json', '--panels');
  expect(steps((JSON.parse(own.stdout) as Told).panels).slice(3)).toEqual([
    [0.545, 2],
    [0.572, 1],
    [0.76, 0],
  ]);
  const text = await summary();
  expect(text.stdout.split('\n').slice(0, 3)).toEqual([
    'asyncflow.session.5e0a17c4  1.00 s  ended',
    'WORKFLOW     TASKS  DONE  FAILED  CANCELED  NEVER RUN     P50   TOTAL',
    'exp-0            4     4       -         -          -  135 ms  660 ms',
  ]);
  const missing = await summary('--session', 'another');
  expect([missing.code, missing.stdout]).toEqual([2, '']);
  expect(missing.stderr).toMatch(/^steptap: --session another: the embedded store in .* has no task of it; /);
}, 120_000);

test('while a run goes on its open tasks are counted', async () => {
  const run = home.start(NONE);
  await run.said(/^clickhouse is ready/);
  // Up to where three tasks run.
  await run.write(SAMPLE.split('\n').slice(0, 24).join('\n') + '\n');
  let told: Told | undefined;
  while (told === undefined || told.tasks['running'] !== 3) {
    const { stdout } = await summary('--json');
    told = stdout === '' ? undefined : (JSON.parse(stdout) as Told);
  }
  expect(told.tasks).toMatchObject({ submitted: 3, completed: 0, running: 3, waiting: 6, all: 9 });
  run.end();
  expect((await run.ended).code).toBe(0);
  const after = JSON.parse((await summary('--json')).stdout) as Told;
  expect(after.tasks).toEqual(told.tasks);
}, 120_000);

test('a server is asked as the embedded store is, and what cannot be asked is said', async () => {
  const clickhouse = await startClickHouse();
  try {
    const place = ['--clickhouse', clickhouse.url];
    const empty = await summary(...place);
    expect([empty.code, empty.stderr]).toEqual([
      2,
      `steptap: ClickHouse at ${clickhouse.url} has no table tasks: a run that puts tasks together makes it\n`,
    ]);
    expect((await home.start([...NONE, ...place], { input: SAMPLE }).ended).code).toBe(0);
    const { stdout } = await summary('--json', '--panels', '--upstream', ...place);
    expectUpstream((JSON.parse(stdout) as Told).panels);
  } finally {
    await clickhouse.stop();
  }
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await summary(...args);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await refused('--upstream')).toBe('steptap: --upstream: it is about panels; add --panels\n');
  expect(await refused('--state', 'nothing')).toMatch(/^steptap: --state nothing: there is no embedded store; /);
  await writeFile(
    `${home.path}/search.yaml`,
    'sinks:\n  search:\n    type: elasticsearch\n    urls: [http://127.0.0.1:1]\n',
  );
  expect(await refused('--config', 'search.yaml')).toBe(
    'steptap: a summary is asked of ClickHouse, and the pipeline has none: name one with --clickhouse URL, or have the pipeline write to one too\n',
  );
}, 120_000);

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Cli } from '../support/run-cli.ts';
import { Home, line } from './parts.ts';

const home = new Home();
const RUN = ['-c', 'p.yaml', '--no-store', '--state', 's'];

/** Waits until a stream of a program says it. */
async function until(cli: Cli, stream: 'stdout' | 'stderr', what: RegExp): Promise<void> {
  while (!what.test(cli[stream])) {
    if (cli.child.exitCode !== null) throw new Error(`it ended and never said ${what.source}:\n${cli.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('tail shows what a run stores, waits for it when it was killed, and ends with 0', async () => {
  writeFileSync(
    join(home.path, 'p.yaml'),
    "sinks: { metrics: { type: prometheus, listen: '127.0.0.1:0', events: true } }\n",
  );
  let run = home.start(RUN);
  const { metrics } = await run.said(/^reading stdin/);
  const tail = home.start(['tail', '--state', 's', '--filter', 'step ~ "s$"', '--table', 'steps'], { input: '' });
  // As long as a filter may be.
  const any = Array(330).fill('kind').join('||');
  const json = home.start(['tail', '--url', String(metrics), '--json', '--filter', any], { input: '' });
  await Promise.all([tail, json].map(async (each) => until(each, 'stderr', /watching, behind record /)));
  await run.write(`${line('other')}${line('loads', 0.25)}epoch 1\n`);
  await until(tail, 'stdout', /loads/);
  await until(json, 'stdout', /epoch 1/);
  expect(tail.stdout).toBe('2026-02-19T10:30:44.025Z  ok      250 ms  loads  t.f  x\n');
  const rows = json.stdout
    .trim()
    .split('\n')
    .map((each) => JSON.parse(each) as Record<string, unknown>);
  expect(rows).toMatchObject([
    { step: 'other', _i: 0 },
    { step: 'loads', _i: 1 },
    { message: 'epoch 1', _i: 2 },
  ]);
  json.kill('SIGTERM');
  expect((await json.ended).code).toBe(0);

  run.kill('SIGKILL');
  await until(tail, 'stderr', /the connection is lost: waiting for it/);
  run = home.start(RUN);
  await until(tail, 'stderr', /attached again, behind record \S+: what was stored in between was not shown/);
  await run.write(line('saves'));
  await until(tail, 'stdout', /saves/);
  run.end();
  expect((await run.ended).code).toBe(0);
  await until(tail, 'stderr', /the run has ended: waiting for it/);
  tail.kill('SIGINT');
  const { code, stdout } = await tail.ended;
  expect([code, stdout.split('\n').length]).toEqual([0, 3]);
}, 60_000);

test('tail says what is wrong, and where', async () => {
  const said = async (...args: string[]) => {
    const { code, stderr } = await home.start(['tail', ...args], { input: '' }).ended;
    return [code, stderr];
  };
  const [nobody, filter, table, none, odd] = await Promise.all([
    said('--state', 's'),
    said('--filter', 'status = error and wall_time_s >'),
    said('--table', 'steps,tabels'),
    said('--state', 'none'),
    said('--filter', 'stauts = error'),
  ]);
  expect(nobody).toEqual([1, 'steptap: --state s: no run is there; start one, or name another\n']);
  expect(filter).toEqual([
    2,
    'steptap: --filter: column 33: expected a value, found the end\n\n' +
      '  status = error and wall_time_s >\n' +
      '                                  ^\n',
  ]);
  expect(table).toEqual([2, expect.stringMatching(/^steptap: --table tabels: there are steps, logs/)]);
  expect(none).toEqual([2, 'steptap: --state none: name the address of its metrics with --url\n']);
  expect(odd).toEqual([1, expect.stringContaining('no event has a field stauts; did you mean status?\n')]);
}, 60_000);

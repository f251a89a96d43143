import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { startElasticsearchBench } from '../contract/elasticsearch-bench.ts';
import { HTTP_FAULTS, say } from '../support/faulty-server.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const LOST =
  'what was not delivered is lost with this process; reading the same input again stores what was delivered a second time';
const WAITS = 'the next run with the same --state delivers what waits';

/** What is counted at the end. */
interface Counts {
  readonly rows: number;
  readonly bytes: number;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await systemClock.sleep(5, new AbortController().signal);
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s in the middle of a slow pipe delivers what was read but not half a line, and ends with 0',
  async (signal) => {
    const { server, backend } = await home.clickhouse();
    const cli = home.start(['--clickhouse', server.url, ...NONE]);
    await cli.said(/^clickhouse is ready/);
    await cli.write(lines(100));
    await cli.write(line('half').slice(0, 50));
    await cli.write(line('half').slice(50) + line('last').trimEnd());
    // The last line has no end yet; it was read with the one before.
    await until(() => backend.rows.length === 101);
    cli.kill(signal);
    const { code, log } = await cli.ended;
    expect(code).toBe(0);
    expect(backend.rows).toHaveLength(101);
    const letters = await home.rows('steptap-data', 'dead-letters');
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({
      reason: 'cut_short',
      detail: 'reading was stopped in the middle of the line',
      source: 'stdin',
      offset: (lines(100) + line('half')).length,
      lines: 1,
      raw: line('last').trimEnd(),
      cut: true,
    });
    const said = log.map(({ message }) => message);
    expect(said).toContain(`stopping on ${signal}: delivering what was read; once more to leave at once`);
    expect(said.slice(-2)).toEqual([
      '1 dead letter is in steptap-data/dead-letters, with the reason; steptap dead-letters ls shows them',
      'stopped',
    ]);
  },
);

test('a store that is down at the end is waited for as long as --grace says; then the run ends with 1, and the next one delivers', async () => {
  const { server } = await home.clickhouse();
  const gone = await home.clickhouse();
  await gone.server.leave();
  const args = ['--clickhouse', server.url, '--elasticsearch', gone.server.url, '--grace', '1', ...NONE];
  const before = performance.now();
  const { code, log } = await home.start(args, { input: lines(7) }).ended;
  const took = performance.now() - before;
  expect(code).toBe(1);
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  expect(log.filter(({ sink, level }) => sink === 'elasticsearch' && level !== 'info')).toMatchObject([
    { level: 'warning', message: expect.stringMatching(/^elasticsearch is tried again: /) },
    { level: 'warning', message: '7 rows wait in the spool for elasticsearch', rows: 7 },
  ]);
  expect(log.at(-2)).toMatchObject({ level: 'warning', message: WAITS });
  expect(log.at(-1)).toMatchObject({
    message: 'stopped',
    sinks: {
      clickhouse: { accepted: 7, stored: 7, pending: 0 },
      elasticsearch: { accepted: 7, stored: 0, pending: 7 },
    },
  });
  expect(took).toBeGreaterThan(1_000);

  const search = await startElasticsearchBench();
  const back = ['--clickhouse', server.url, '--elasticsearch', search.server.url, ...NONE];
  const next = await home.start(back, { input: '' }).ended;
  await search.stop();
  expect([next.code, next.log.at(-1)]).toMatchObject([
    0,
    { sinks: { clickhouse: { stored: 7 }, elasticsearch: { accepted: 7, stored: 7, pending: 0 } } },
  ]);
  expect(search.backend.documents.size).toBe(7);
  expect(server.brought).toHaveLength(1);
});

test('with --state none, what a store that is down did not get is lost with the run, which ends with 1 and counts', async () => {
  const { server, backend } = await home.clickhouse();
  const gone = await home.clickhouse();
  await gone.server.leave();
  const stores = ['--clickhouse', server.url, '--elasticsearch', gone.server.url];
  const args = [...stores, '--state', 'none', '--grace', '1', ...NONE];
  const { code, log } = await home.start(args, { input: lines(7) }).ended;
  expect(code).toBe(1);
  expect(log.filter(({ level }) => level === 'error')).toMatchObject([
    { message: '7 rows were not delivered to elasticsearch', sink: 'elasticsearch', rows: 7 },
    { message: LOST },
  ]);
  expect(log.filter(({ level, sink }) => level === 'warning' && sink === 'elasticsearch')).toHaveLength(1);
  expect(backend.rows).toHaveLength(7);
  expect(await readdir(home.path)).toEqual([]);
});

test('a store that comes back within --grace gets everything', async () => {
  const { server, backend } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const cli = home.start(['--clickhouse', server.url, '--grace', '60', ...NONE], { input: lines(50) });
  await cli.said(/^clickhouse is tried again: .*HTTP 503/);
  server.fault = undefined;
  expect((await cli.ended).code).toBe(0);
  expect(backend.rows).toHaveLength(50);
});

test('what a store that is down did not get before SIGTERM waits for the next run, and the end is a success', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'in.log'), lines(9));
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const args = ['--input', 'in.log', '--follow', '--clickhouse', server.url, '--grace', '0.2', ...NONE];
  const cli = home.start(args);
  await cli.said(/^clickhouse is tried again/);
  cli.kill('SIGTERM');
  const { code, log } = await cli.ended;
  expect(log.slice(-3)).toMatchObject([
    { level: 'warning', message: '9 rows wait in the spool for clickhouse', rows: 9 },
    { level: 'warning', message: WAITS },
    { level: 'info', message: 'stopped', sinks: { clickhouse: { accepted: 9, stored: 0, pending: 9 } } },
  ]);
  expect(code).toBe(0);
  server.fault = undefined;
  const next = await home.start(['--input', 'in.log', '--clickhouse', server.url, ...NONE]).ended;
  expect([next.code, next.log.at(-1)]).toMatchObject([0, { sinks: { clickhouse: { accepted: 9, stored: 9 } } }]);
  expect(backend.rows).toHaveLength(9);
  expect(twice(backend)).toEqual([]);
});

test.each([
  [
    'and says what waits for the next run',
    [],
    [
      ['warning', '9 rows wait in the spool for clickhouse'],
      ['warning', WAITS],
    ],
  ],
  [
    'and with --state none what is lost',
    ['--state', 'none'],
    [
      ['error', '9 rows were not delivered to clickhouse'],
      ['error', LOST],
    ],
  ],
])('a second signal ends it at once, with 1, %s', async (_, state, last) => {
  const { server, backend } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const args = ['--clickhouse', server.url, '--grace', '600', ...state, ...NONE];
  const cli = home.start(args);
  await cli.write(lines(9));
  await cli.said(/^clickhouse is tried again/);
  cli.kill('SIGTERM');
  await cli.said(/^stopping on SIGTERM/);
  cli.kill('SIGINT');
  const { code, log } = await cli.ended;
  expect(code).toBe(1);
  expect(log.slice(-2).map(({ level, message }) => [level, message])).toEqual(last);
  server.fault = undefined;
  expect((await home.start(args, { input: '' }).ended).code).toBe(0);
  expect(backend.rows).toHaveLength(state.length === 0 ? 9 : 0);
});

/** Resolves when the spool is full and nothing more is read. */
async function held(metrics: string): Promise<void> {
  const text = async (path: string): Promise<string> => (await fetch(metrics.replace('/metrics', path))).text();
  let seen = '';
  for (let same = 0; same < 20;) {
    await systemClock.sleep(25, new AbortController().signal);
    const full = (await text('/readyz')).includes('"full":true');
    const read = /steptap_read_lines_total\{.*/.exec(await text('/metrics'))?.[0] ?? '';
    same = full && read === seen ? same + 1 : 0;
    seen = read;
  }
}

/** Bounds of the spool that 20,000 and more steps do not fit into, on disk and in memory. */
const SMALL = [
  ['on disk', ['--spool-bytes', '8m'], 60_000],
  ['in memory', ['--state', 'none', '--spool-memory', '1m'], 20_000],
] as const;

test.each(SMALL)(
  'a signal with a dead store and a full spool %s ends within --grace',
  async (_, spool, count) => {
    const { server, backend } = await home.clickhouse();
    server.fault = HTTP_FAULTS.status({ status: 503 });
    const durable = spool[0] !== '--state';
    const args = ['--clickhouse', server.url, ...spool, ...NONE];
    const cli = home.start([...args, '--grace', '4', '--metrics', '127.0.0.1:0']);
    void cli.write(lines(count));
    const { metrics } = await cli.said(/^reading stdin/);
    await held(String(metrics));
    cli.kill('SIGTERM');
    await cli.said(/^stopping on SIGTERM/);
    const before = performance.now();
    const { code, log } = await cli.ended;
    expect(performance.now() - before).toBeLessThan(9_000);
    expect(code).toBe(1);
    const told = log.slice(log.findIndex(({ message }) => message.startsWith('stopping'))).filter(({ rows }) => rows);
    const [{ rows: undelivered }, { rows: unaccepted, bytes }] = told as unknown as [Counts, Counts];
    expect(told.map(({ level, message }) => [level, message])).toEqual([
      durable
        ? ['warning', `${undelivered} rows wait in the spool for clickhouse`]
        : ['error', `${undelivered} rows were not delivered to clickhouse`],
      ['error', `${unaccepted} rows and the ${bytes} bytes behind them were read and not accepted: the spool was full`],
    ]);
    expect(Math.min(undelivered, unaccepted)).toBeGreaterThan(0);
    // Every row was whole when it was read, and what is behind them was written too.
    const written = lines(count);
    const decoded = written.split('\n', undelivered + unaccepted).join('\n').length + 1;
    expect(bytes).toBeGreaterThan(0);
    expect(decoded + bytes).toBeLessThanOrEqual(written.length);
    if (!durable) return;
    server.fault = undefined;
    expect((await home.start(args, { input: '' }).ended).code).toBe(0);
    expect(backend.rows).toHaveLength(undelivered);
    expect(twice(backend)).toEqual([]);
  },
  60_000,
);

test.each(SMALL)(
  'a slow store holds the pipe back when the spool is full %s, and nothing is lost',
  async (_, spool, size) => {
    const { server, backend } = await home.clickhouse();
    server.fault = {
      act: (response, good) => {
        setTimeout(() => say(response, good()), 300);
      },
    };
    const cli = home.start(['--clickhouse', server.url, ...spool, '--grace', '60', ...NONE]);
    // 11 MB through 1 MB, 33 MB through 8.
    const count = size * 2;
    const started = performance.now();
    for (let from = 0; from < count; from += 1_000) {
      await cli.write(Array.from({ length: 1_000 }, (_each, n) => line(`row ${from + n}`)).join(''));
    }
    // What is not in the store is in the spool, in the pipe or in one of a few reads: there is no other place for it.
    expect(backend.rows.length).toBeGreaterThan(count / 2);
    cli.end();
    const { code } = await cli.ended;
    expect(code).toBe(0);
    expect(backend.rows).toHaveLength(count);
    expect(twice(backend)).toEqual([]);
    expect(performance.now() - started).toBeGreaterThan(1_500);
    expect(new Set(server.brought.map(({ url }) => url.searchParams.get('insert_deduplication_token'))).size).toBe(
      server.brought.length,
    );
  },
  120_000,
);

test('a store that breaks every other connection gets every row once', async () => {
  const { server, backend } = await home.clickhouse();
  let number = 0;
  server.fault = {
    act: (response, good, asked) => {
      const fault = number++;
      if (fault % 4 === 0) HTTP_FAULTS.reset(true).act(response, good, asked);
      else if (fault % 4 === 1) HTTP_FAULTS.truncated(false).act(response, good, asked);
      else say(response, good());
    },
  };
  const cli = home.start(['--clickhouse', server.url, '--grace', '60', ...NONE]);
  await cli.said(/^clickhouse is ready/);
  for (const [n, name] of ['a', 'b', 'c'].entries()) {
    await cli.write(lines(30, name));
    await until(() => backend.rows.length === 30 * (n + 1));
  }
  cli.end();
  expect((await cli.ended).code).toBe(0);
  expect(backend.rows).toHaveLength(90);
  expect(twice(backend)).toEqual([]);
  expect(server.brought.length).toBeGreaterThan(3);
});

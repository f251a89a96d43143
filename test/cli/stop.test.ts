import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { HTTP_FAULTS, say } from '../support/faulty-server.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const LOST =
  'what was not delivered is lost with this process; reading the same input again stores what was delivered a second time';

/** What an error at the end counts. */
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
    expect(said.slice(-2)).toEqual(['1 dead letter is in steptap-data/dead-letters, with the reason', 'stopped']);
  },
);

test('a store that is down at the end is waited for as long as --grace says; then the run ends with 1 and counts', async () => {
  const { server } = await home.clickhouse();
  const gone = await home.clickhouse();
  await gone.server.leave();
  const args = ['--clickhouse', server.url, '--elasticsearch', gone.server.url, '--grace', '1', ...NONE];
  const before = performance.now();
  const { code, log } = await home.start(args, { input: lines(7) }).ended;
  const took = performance.now() - before;
  expect(code).toBe(1);
  expect(log.filter(({ level }) => level === 'error')).toMatchObject([
    { message: '7 rows were not delivered to elasticsearch', sink: 'elasticsearch', rows: 7 },
    { message: LOST },
  ]);
  expect(log.filter(({ level, sink }) => level === 'warning' && sink === 'elasticsearch')).toHaveLength(1);
  expect(server.brought.length).toBeGreaterThan(0);
  expect(took).toBeGreaterThan(1_000);
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

test('a second signal ends it at once, with 1, and says what is lost', async () => {
  const { server } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const cli = home.start(['--clickhouse', server.url, '--grace', '600', ...NONE]);
  await cli.write(lines(9));
  await cli.said(/^clickhouse is tried again/);
  cli.kill('SIGTERM');
  await cli.said(/^stopping on SIGTERM/);
  cli.kill('SIGINT');
  const { code, log } = await cli.ended;
  expect(code).toBe(1);
  expect(log.slice(-2)).toMatchObject([
    { level: 'error', message: '9 rows were not delivered to clickhouse' },
    { level: 'error', message: LOST },
  ]);
  expect(log.filter(({ level }) => level === 'error')).toHaveLength(2);
});

test('a signal with a dead store and a full spool ends within --grace', async () => {
  const { server } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const cli = home.start(['--clickhouse', server.url, '--grace', '4', '--spool-bytes', '1m', ...NONE]);
  void cli.write(lines(20_000));
  await cli.said(/^clickhouse is tried again/);
  cli.kill('SIGTERM');
  await cli.said(/^stopping on SIGTERM/);
  const before = performance.now();
  const { code, log } = await cli.ended;
  expect(performance.now() - before).toBeLessThan(7_500);
  expect(code).toBe(1);
  const errors = log.filter(({ level }) => level === 'error');
  const [{ rows: undelivered }, { rows: unaccepted, bytes }] = errors as unknown as [Counts, Counts];
  expect(errors.map(({ message }) => message)).toEqual([
    `${undelivered} rows were not delivered to clickhouse`,
    `${unaccepted} rows and the ${bytes} bytes behind them were read and not accepted: the spool was full`,
    LOST,
  ]);
  expect(Math.min(undelivered, unaccepted)).toBeGreaterThan(0);
  // Every row was whole when it was read, and what is behind them was written too.
  const written = lines(20_000);
  const decoded = written.split('\n', undelivered + unaccepted).join('\n').length + 1;
  expect(bytes).toBeGreaterThan(0);
  expect(decoded + bytes).toBeLessThanOrEqual(written.length);
});

test('a slow store holds the pipe back, and nothing is lost', async () => {
  const { server, backend } = await home.clickhouse();
  server.fault = {
    act: (response, good) => {
      setTimeout(() => say(response, good()), 300);
    },
  };
  const cli = home.start(['--clickhouse', server.url, '--spool-bytes', '1m', '--grace', '60', ...NONE]);
  const count = 40_000;
  const started = performance.now();
  // About 11 MB through a spool of 1 MB.
  for (let from = 0; from < count; from += 1_000) {
    await cli.write(Array.from({ length: 1_000 }, (_, n) => line(`row ${from + n}`)).join(''));
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
}, 120_000);

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

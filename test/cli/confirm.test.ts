import { expect, test } from 'vitest';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { Home, line } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];

/** The words of steptap on standard output, as soon as there are so many. */
async function words(cli: ReturnType<Home['start']>, count: number): Promise<string[]> {
  while (cli.stdout.split('\n').length <= count) await new Promise((next) => cli.child.stdout!.once('data', next));
  return cli.stdout.split('\n').slice(0, -1);
}

test('Every message is confirmed when it is in the spool, though the store is down', async () => {
  const { server, backend } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const args = ['--confirm', 'rsyslog', '--clickhouse', server.url, '--grace', '0', ...NONE];
  const first = home.start(args);
  expect(await words(first, 1)).toEqual(['OK']);
  await first.write(line('one'));
  expect(await words(first, 2)).toEqual(['OK', 'OK']);
  // The last line of a traceback that goes on: it is no event yet, and confirmed all the same.
  await first.write('Traceback (most recent call last):\n');
  expect(await words(first, 3)).toHaveLength(3);
  first.kill('SIGKILL');
  await first.ended;
  server.fault = undefined;
  const second = home.start(args.filter((word) => word !== '--grace' && word !== '0'));
  await words(second, 1);
  second.end();
  expect((await second.ended).code).toBe(0);
  expect(backend.rows.map(({ table, raw }) => [table, raw])).toEqual([
    ['steps', 'one'],
    ['logs', undefined],
  ]);
});

test('The marks of a transaction are answered, and are no messages; each message is confirmed by itself', async () => {
  const { server, backend } = await home.clickhouse();
  const cli = home.start(['--confirm', 'rsyslog', '--clickhouse', server.url, ...NONE]);
  await words(cli, 1);
  await cli.write(`BEGIN TRANSACTION\n${line('one')}${line('two')}COMMIT TRANSACTION\n`);
  expect(await words(cli, 5)).toEqual(['OK', 'OK', 'OK', 'OK', 'OK']);
  cli.end();
  expect((await cli.ended).code).toBe(0);
  expect(backend.rows.map(({ raw }) => raw)).toEqual(['one', 'two']);
});

test('Half a message is not confirmed, and not stored', async () => {
  const { server, backend } = await home.clickhouse();
  const cli = home.start(['--confirm', 'rsyslog', '--clickhouse', server.url, ...NONE]);
  await words(cli, 1);
  await cli.write(line('whole') + line('half').slice(0, 60));
  await words(cli, 2);
  cli.end();
  expect([(await cli.ended).code, cli.stdout]).toEqual([0, 'OK\nOK\n']);
  expect(backend.rows.map(({ raw }) => raw)).toEqual(['whole']);
});

test('A message that is too long is a dead letter, and confirmed', async () => {
  const { server } = await home.clickhouse();
  const cli = home.start(['--confirm', 'rsyslog', '--max-line-bytes', '2k', '--clickhouse', server.url, ...NONE]);
  await words(cli, 1);
  await cli.write(`${'x'.repeat(5_000)}\n`);
  expect(await words(cli, 2)).toEqual(['OK', 'OK']);
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  expect(await home.rows('steptap-data', 'dead-letters')).toMatchObject([{ reason: 'line_too_long', source: 'stdin' }]);
});

test('Standard output cannot have the events too', async () => {
  for (const command of ['run', 'check']) {
    const args = [command, '--confirm', 'rsyslog', '--stdout', ...NONE];
    const { code, stderr } = await home.start(args, { input: '' }).ended;
    expect([code, stderr.trim()]).toEqual([
      2,
      'steptap: sources.stdin: confirmations go to standard output, and so would the events of a sink of type stdout: leave one of them out',
    ]);
  }
});

test('Options of files make no sense with it', async () => {
  for (const other of [['--input', 'b'], ['--follow'], ['--from-start']]) {
    const { code, stderr } = await home.start(['--confirm', 'rsyslog', ...other, ...NONE], { input: '' }).ended;
    expect([code, stderr.trim()]).toEqual([
      2,
      'steptap: --confirm: goes without --input, --follow and --from-start: it is standard input that is confirmed',
    ]);
  }
});

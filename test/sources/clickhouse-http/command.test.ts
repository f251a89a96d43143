import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home } from '../../cli/parts.ts';
import { listening, post } from '../http-parts.ts';
import { INSERT, row } from './parts.ts';

const home = new Home();

function pipeline(source: string): void {
  const sinks = 'sinks: { files: { directory: rows }, prometheus: { listen: none } }';
  writeFileSync(join(home.path, 'p.yaml'), `sources: { in: { type: clickhouse-http, ${source} } }\n${sinks}\n`);
}

test('an address that others can reach needs a password, and a check says whether it can be listened on', async () => {
  pipeline("listen: ':0'");
  const open = await home.start(['-c', 'p.yaml']).ended;
  expect([open.code, open.stderr]).toEqual([
    2,
    expect.stringMatching(/p\.yaml:1:49: sources\.in\.listen: :0 can be reached .*: add tls and password_file, /),
  ]);
  writeFileSync(join(home.path, 'password'), 'canary\n', { mode: 0o600 });
  pipeline("listen: '127.0.0.1:0', password_file: password");
  const { code, stdout } = await home.start(['check', '-c', 'p.yaml', '--state', 'none']).ended;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/address +127\.0\.0\.1:0 .*is free; this machine only/)]);
  expect(stdout).toMatch(/secret +password .*has one/);
});

test('its tables may change while it runs, and what was sent before is known after a restart', async () => {
  pipeline("listen: '127.0.0.1:0', tables: [a]");
  const into = async (url: string, table: string): Promise<number> => {
    const query = INSERT.replace('default.flytekit_telemetry', table);
    return (await post(`${url}?query=${encodeURIComponent(query)}`, row(`into ${table}`))).status;
  };
  const cli = home.start(['-c', 'p.yaml']);
  const url = await listening(cli);
  expect([await into(url, 'a'), await into(url, 'b')]).toEqual([200, 404]);
  pipeline("listen: '127.0.0.1:0', tables: [a, b]");
  cli.kill('SIGHUP');
  const changed = await listening(cli, 2);
  expect([await into(changed, 'a'), await into(changed, 'b')]).toEqual([200, 200]);
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  const again = home.start(['-c', 'p.yaml']);
  expect(await into(await listening(again), 'b')).toBe(200);
  again.kill('SIGTERM');
  expect((await again.ended).code).toBe(0);
  expect((await home.rows('rows')).map(({ step_raw }) => step_raw)).toEqual(['into a', 'into b']);
});

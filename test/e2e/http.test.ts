import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { line } from '../cli/parts.ts';
import { listening, post } from '../sources/http-parts.ts';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { Cli } from '../support/run-cli.ts';

const CRASH = new URL('../promises/crash.mjs', import.meta.url).href;

let clickhouse: ClickHouseServer;
let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'steptap-http-'));
  clickhouse = await startClickHouse();
});
afterAll(async () => {
  await clickhouse?.stop();
  await rm(home, { recursive: true, force: true });
});

/** Sends one body until it is answered with 200, to a steptap that dies once behind the commit and before the answer; gives how often each of its rows is stored. */
async function storedAfterDeath(database: string, deduplicate: boolean): Promise<string> {
  const source = `in: { type: http, listen: '127.0.0.1:0', deduplicate: ${deduplicate} }`;
  const sinks = `clickhouse: { urls: ['${clickhouse.url}'], database: ${database} }, prometheus: { listen: none }`;
  const file = join(home, `${database}.yaml`);
  await writeFile(file, `sources: { ${source} }\nsinks: { ${sinks} }\nstate: { directory: ${join(home, database)} }\n`);
  const body = Array.from({ length: 100 }, (_, n) => line(`step ${n}`)).join('');
  const dying = new Cli(['-c', file], {
    cwd: home,
    env: { NODE_OPTIONS: `--import ${CRASH}`, STEPTAP_CRASH: 'batch.sync after 1' },
  });
  await expect(post(await listening(dying), body)).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect((await dying.ended).signal).toBe('SIGKILL');
  const cli = new Cli(['-c', file], { cwd: home });
  expect((await post(await listening(cli), body)).status).toBe(200);
  expect((await post(await listening(cli), body)).status).toBe(200);
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  return (await clickhouse.query(`SELECT count(), uniqExact(step_raw) FROM ${database}.steps FORMAT TSV`)).trim();
}

test('a request whose answer was lost because steptap was killed behind the commit is sent again, and stored once', async () => {
  expect(await storedAfterDeath('once', true)).toBe('100\t100');
  // Without the guard it is stored as often as it is sent: so this looks at the guard, and not at the engine.
  expect(await storedAfterDeath('control', false)).toBe('300\t100');
}, 120_000);

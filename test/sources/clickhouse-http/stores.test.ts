import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@clickhouse/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { kubeconfigOf, pod } from '../../kubernetes/parts.ts';
import { startClickHouse, type ClickHouseServer } from '../../support/clickhouse-server.ts';
import { KubeApi } from '../../support/kube-api.ts';
import { Cli } from '../../support/run-cli.ts';
import { listening } from '../http-parts.ts';
import { row } from './parts.ts';

const SEED = fileURLToPath(new URL('./seed.py', import.meta.url));
const CRASH = new URL('../../promises/crash.mjs', import.meta.url).href;
const PYTHON = spawnSync('python3', ['--version']).status === 0;
if (!PYTHON && process.env['CI'] === 'true') throw new Error('no python3: apt-get install python3');

let clickhouse: ClickHouseServer;
let home = '';
const api = new KubeApi();
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'steptap-clickhouse-http-'));
  [clickhouse] = await Promise.all([startClickHouse(), api.start()]);
});
afterAll(async () => {
  await clickhouse?.stop();
  await api.stop();
  await rm(home, { recursive: true, force: true });
});

const started: Cli[] = [];
afterEach(() => {
  for (const cli of started.splice(0)) cli.kill('SIGKILL');
});

function begin(file: string, env: Readonly<Record<string, string>> = {}): Cli {
  const cli = new Cli(['-c', file], { cwd: home, env });
  started.push(cli);
  return cli;
}

/** A pipeline from such a source into a database of that name. */
async function pipeline(database: string, options: string, rest = ''): Promise<string> {
  const file = join(home, `${database}.yaml`);
  const source = `in: { type: clickhouse-http, listen: '127.0.0.1:0', ${options} }`;
  const sinks = `clickhouse: { urls: ['${clickhouse.url}'], database: ${database} }, prometheus: { listen: '127.0.0.1:0' }`;
  const state = `state: { directory: '${join(home, database)}' }`;
  await writeFile(file, `sources: { ${source} }\nsinks: { ${sinks} }\n${state}\n${rest}\n`);
  return file;
}

async function stopped(cli: Cli): Promise<void> {
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
}

/** Until the API has said what pods there are. */
async function heard(cli: Cli): Promise<void> {
  const { metrics } = await cli.said(/^reading/);
  let text = '';
  while (!/steptap_kubernetes_requests_total\{verb="watch",code="200"\} 1/.test(text)) {
    text = await (await fetch(String(metrics))).text();
  }
}

test.runIf(PYTHON)(
  "flytekit's own sink, with its URL pointed at steptap, stores every event once, with what Kubernetes knows of its pod",
  async () => {
    const name = 'f1c0b5a2e93d4c7f8a61-n0-0';
    const labels = { 'execution-id': 'f1c0b5a2e93d4c7f8a61', 'node-id': 'n0' };
    api.put(pod(name, { labels, status: { phase: 'Running', podIP: '127.0.0.1' } }));
    await writeFile(join(home, 'kubeconfig'), kubeconfigOf(api.url));
    const kubernetes = `enrichment: { kubernetes: { kubeconfig: '${join(home, 'kubeconfig')}' } }`;
    const file = await pipeline('seed', 'password: secret, tables: [default.flytekit_telemetry]', kubernetes);
    const cli = begin(file);
    const url = await listening(cli);
    await heard(cli);
    // The last two are of one millisecond and the same bytes, as those of steps that take microseconds are.
    const events = [...Array.from({ length: 20 }, (_, n) => row(`step ${n}`)), row('same'), row('same')];
    const env = { ...process.env, FLYTE_TELEMETRY_CLICKHOUSE_URL: url.replace(/\/$/, '') };
    const seed = (more: object): void => {
      const { status, stderr } = spawnSync('python3', [SEED], { input: events.join('\n'), env: { ...env, ...more } });
      expect([status, stderr.toString()]).toEqual([0, '']);
    };
    seed({ FLYTE_TELEMETRY_CLICKHOUSE_PASSWORD: 'secret' });
    // It never hears that somebody refuses it; steptap says so.
    seed({ FLYTE_TELEMETRY_CLICKHOUSE_PASSWORD: 'wrong' });
    expect((await cli.said(/answered 403/)).message).toMatch(/the password is another/);
    await stopped(cli);
    const columns = 'count(), uniqExact(step_raw), any(pod), any(node_id), any(container), min(k8s_enriched), any(ts)';
    const answer = await clickhouse.query(`SELECT ${columns} FROM seed.steps FORMAT TSV`);
    expect(answer.trim().split('\t')).toEqual(['22', '21', name, 'n0', 'main', 'true', '2026-02-19 10:31:12.640000']);
  },
  120_000,
);

/** Inserts one batch until it is stored, into a steptap that dies once behind the commit and before the answer; gives how often each of its rows is stored. */
async function storedAfterDeath(database: string, deduplicate: boolean): Promise<string> {
  const file = await pipeline(database, `deduplicate: ${deduplicate}`);
  const values = Array.from({ length: 100 }, (_, n) => JSON.parse(row(`step ${n}`)) as unknown);
  const insert = async (cli: Cli): Promise<void> => {
    const client = createClient({ url: await listening(cli), log: { level: 127 } });
    try {
      await client.insert({ table: 't', values, format: 'JSONEachRow' });
    } finally {
      await client.close();
    }
  };
  const env = { NODE_OPTIONS: `--import ${CRASH}`, STEPTAP_CRASH: 'batch.sync after 1' };
  const dying = begin(file, env);
  await expect(insert(dying)).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect((await dying.ended).signal).toBe('SIGKILL');
  const cli = begin(file);
  for (let times = 0; times < 2; times++) await insert(cli);
  await stopped(cli);
  return (await clickhouse.query(`SELECT count(), uniqExact(step_raw) FROM ${database}.steps FORMAT TSV`)).trim();
}

test('an insert of @clickhouse/client whose answer was lost because steptap was killed is sent again, and stored once', async () => {
  expect(await storedAfterDeath('once', true)).toBe('100\t100');
  // Without the guard it is stored as often as it is sent: so this looks at the guard, and not at the engine.
  expect(await storedAfterDeath('control', false)).toBe('300\t100');
}, 120_000);

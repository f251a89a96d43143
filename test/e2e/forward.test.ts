import { appendFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Values } from '../../src/msgpack/values.ts';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { ask, parsed, scratch, start, stepLine, until, type Running } from '../support/e2e.ts';

let clickhouse: ClickHouseServer;
beforeAll(async () => {
  clickhouse = await startClickHouse();
}, 60_000);
afterAll(async () => {
  await clickhouse?.stop();
});

const CRASH = new URL('../promises/crash.mjs', import.meta.url).href;
const NONE = 'prometheus: { type: prometheus, listen: none }';

/** A pipeline in its own folder. */
async function pipeline(folder: string, name: string, source: string, sink: string): Promise<string[]> {
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, `sources:\n  in: ${source}\nsinks:\n  out: ${sink}\n  ${NONE}\n`);
  return ['-c', path, '--state', join(folder, name)];
}

/** `crash`: the point at which it kills itself. */
function begin(args: readonly string[], crash?: string): Running {
  return start(args, crash === undefined ? {} : { NODE_OPTIONS: `--import ${CRASH}`, STEPTAP_CRASH: crash });
}

const listening = (running: Running): Promise<void> =>
  until(
    async () => running.stderr().includes('listening on unix:'),
    () => running.stderr(),
  );

/** Every step that is stored, with how often it is. */
async function steps(database: string): Promise<Map<string, number>> {
  const text = await ask(
    clickhouse.url,
    'SELECT execution_id, count() AS n FROM steps GROUP BY execution_id FORMAT JSONEachRow',
    database,
  ).catch((error: Error) => {
    // Nothing was stored yet.
    if (/UNKNOWN_(?:TABLE|DATABASE)|Code: (?:60|81)\b/.test(error.message)) return '';
    throw error;
  });
  return new Map(parsed(text).map(({ execution_id, n }) => [execution_id as string, Number(n)]));
}

const storedAt = (database: string): string =>
  `{ type: clickhouse, urls: ['${clickhouse.url}'], database: ${database} }`;

/** Sends the chunk, and waits for its acknowledgement; false when it is hung up on before. */
async function send(path: string, chunk: Uint8Array): Promise<boolean> {
  const socket: Socket = connect(path);
  const values = new Values(4096);
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('close', () => resolve(false));
    socket.on('data', (piece: Buffer) => {
      values.push(piece);
      if (values.next() === undefined) return;
      resolve(true);
      socket.destroy();
    });
    socket.write(chunk);
  });
}

test('a chunk whose acknowledgement was lost is stored once: steptap dies behind the commit, or its peer before it reads', async () => {
  const folder = await scratch();
  const socket = join(folder, 's');
  const args = await pipeline(folder, 'taker', `{ type: forward, listen: 'unix:${socket}' }`, storedAt('taken'));
  const chunk = (name: string): Uint8Array => {
    const entries = ['x', 'y'].map((each) => [1_771_497_044, { log: stepLine({ execution_id: `${name}${each}` }) }]);
    return encode(['app', entries, { chunk: name, size: 2 }]);
  };
  const dying = begin(args, 'batch.sync after 1');
  await listening(dying);
  expect(await send(socket, chunk('after'))).toBe(false);
  expect((await dying.ended).signal).toBe('SIGKILL');
  expect(dying.stderr()).toContain('crash: batch.sync after');
  const living = begin(args);
  await listening(living);
  expect(await send(socket, chunk('after'))).toBe(true);
  for (let time = 0; time < 5; time++) {
    // Gone as soon as it is sent.
    await new Promise<void>((resolve) => {
      const gone = connect(socket, () => gone.write(chunk('gone'), () => gone.destroy())).once('close', () =>
        resolve(),
      );
    });
  }
  expect(await send(socket, chunk('gone'))).toBe(true);
  living.child.kill('SIGTERM');
  expect((await living.ended).code).toBe(0);
  const all = ['after', 'gone'].flatMap((name) => [`${name}x`, `${name}y`]);
  expect(await steps('taken')).toEqual(new Map(all.map((name) => [name, 1])));
});

test('from a file over an agent and an aggregator into ClickHouse every event comes once, whoever is killed', async () => {
  const folder = await scratch();
  const file = join(folder, 'pod.log');
  const socket = join(folder, 's');
  const key = join(folder, 'key');
  await writeFile(key, 'a key\n', { mode: 0o600 });
  await writeFile(file, '');
  const upper = await pipeline(
    folder,
    'aggregator',
    `{ type: forward, listen: 'unix:${socket}', shared_key_file: '${key}' }`,
    storedAt('passed'),
  );
  const lower = await pipeline(
    folder,
    'agent',
    `{ type: file, path: '${file}', follow: true }`,
    `{ type: forward, address: 'unix:${socket}', shared_key_file: '${key}', compress: gzip }`,
  );
  const sent: string[] = [];
  const write = async (count: number): Promise<void> => {
    const names = Array.from({ length: count }, (_, n) => `e${sent.length + n}`);
    sent.push(...names);
    await appendFile(file, names.map((execution_id) => `${stepLine({ execution_id })}\n`).join(''));
  };
  // Each dies at the edges between its own commit and the other's word of it, and begins anew.
  const agents = ['cursor.write before 4', 'batch.sync after 2'];
  const aggregators = ['batch.sync after 3', 'batch.sync before 2'];
  let agent = begin(lower, agents.shift());
  let aggregator = begin(upper, aggregators.shift());
  const dead = ({ child }: Running): boolean => child.exitCode !== null || child.signalCode !== null;
  let deaths = 0;
  while (deaths < 4) {
    await write(100);
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
    for (const each of [agent, aggregator]) {
      if (!dead(each)) continue;
      expect((await each.ended).signal).toBe('SIGKILL');
      expect(each.stderr()).toContain('crash: ');
      deaths++;
      if (each === agent) agent = begin(lower, agents.shift());
      else aggregator = begin(upper, aggregators.shift());
    }
  }
  await write(100);
  await until(
    async () => (await steps('passed')).size >= sent.length,
    () => `${sent.length} steps: ${aggregator.stderr()}${agent.stderr()}`,
    60_000,
  );
  const seen = await steps('passed');
  expect(seen.size).toBe(sent.length);
  expect([...seen].filter(([, n]) => n !== 1)).toEqual([]);
  // A step is a step there, and not a log with JSON in it.
  const [row] = parsed(
    await ask(clickhouse.url, `SELECT * FROM steps WHERE execution_id = 'e7' FORMAT JSONEachRow`, 'passed'),
  );
  expect(row).toMatchObject({ dialect: 'flytekit', kind: 'step', step: 'execute_user_code', wall_time_s: 1.5 });
  for (const running of [agent, aggregator]) {
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  }
}, 180_000);

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { fromBulk } from '../../src/sources/http/bulk.ts';
import { Home, line } from '../cli/parts.ts';
import { listening, post } from './http-parts.ts';

const home = new Home();
const STREAM = { _index: 'filebeat-8.14.3', pipeline: '' };

/** A document as Filebeat's `container` parser and `add_kubernetes_metadata` make it of a line. */
function document(message: string, stream = 'stderr'): string {
  return JSON.stringify({
    '@timestamp': '2026-02-19T10:30:44.189Z',
    '@metadata': { beat: 'filebeat', type: '_doc', version: '8.14.3' },
    stream,
    message,
    log: { offset: 1024, file: { path: '/var/log/containers/p_ns_main-1.log' } },
    input: { type: 'filestream' },
    kubernetes: {
      namespace: 'ml-production',
      pod: { name: 'a7hzqtz5cm6k2dnm7k2w-n0-0', uid: 'uid-1', ip: '10.0.0.7' },
      container: { name: 'main' },
      node: { name: 'node-1', hostname: 'node-1' },
      labels: { 'execution-id': 'a7hzqtz5cm6k2dnm7k2w', 'execution-identity': 'jane' },
    },
    agent: { type: 'filebeat', version: '8.14.3' },
    ecs: { version: '8.0.0' },
  });
}

const bulk = (...documents: string[]): string =>
  documents.map((each) => `${JSON.stringify({ create: STREAM })}\n${each}\n`).join('');

async function started(more = 'elasticsearch: true'): Promise<{ cli: ReturnType<Home['start']>; url: string }> {
  const source = `in: { type: http, listen: '127.0.0.1:0', ${more} }`;
  writeFileSync(
    join(home.path, 'p.yaml'),
    `sources: { ${source} }\nsinks: { files: { directory: rows }, prometheus: { listen: none } }\n`,
  );
  const cli = home.start(['-c', 'p.yaml']);
  return { cli, url: new URL(await listening(cli)).origin };
}

test('Filebeat is told whom it talks to, and that its documents are stored, and they are, each once', async () => {
  const { cli, url } = await started();
  const hello = await post(`${url}/`, '', { method: 'GET' });
  expect([hello.status, hello.headers['x-elastic-product']]).toEqual([200, 'Elasticsearch']);
  expect(JSON.parse(hello.body)).toMatchObject({ version: { number: expect.stringMatching(/^8\./) as string } });
  expect(JSON.parse((await post(`${url}/_license`, '', { method: 'GET' })).body)).toMatchObject({
    license: { status: 'active' },
  });
  const body = gzipSync(bulk(document(line('load model').trimEnd()), document('plain', 'stdout')));
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
  for (let times = 0; times < 2; times++) {
    const answer = await post(`${url}/_bulk?filter_path=errors%2Citems`, body, { headers });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      { took: 1, errors: false, items: [{ create: { status: 201 } }, { create: { status: 201 } }] },
    ]);
  }
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  const rows = await home.rows('rows');
  expect(rows).toHaveLength(2);
  const origin = { namespace: 'ml-production', pod: 'a7hzqtz5cm6k2dnm7k2w-n0-0', pod_uid: 'uid-1', node: 'node-1' };
  expect(rows.find(({ kind }) => kind === 'step')).toMatchObject({
    ...origin,
    step_raw: 'load model',
    stream: 'stderr',
  });
  expect(rows.find(({ kind }) => kind === 'log')).toMatchObject({
    ...origin,
    message: 'plain',
    stream: 'stdout',
    ts: '2026-02-19T10:30:44.189000Z',
    execution_id: 'a7hzqtz5cm6k2dnm7k2w',
  });
  expect(JSON.stringify(rows)).not.toContain('jane');
});

test('A document that is no JSON is what its line says, and no reason to send the others again', async () => {
  const { cli, url } = await started();
  const answer = await post(`${url}/some-index/_bulk`, bulk('{"broken', document('good')));
  expect([answer.status, JSON.parse(answer.body)]).toMatchObject([200, { errors: false, items: [{}, {}] }]);
  cli.kill('SIGTERM');
  await cli.ended;
  expect((await home.rows('rows')).map(({ message }) => message)).toEqual(['{"broken', 'good']);
});

test('Without the option there is no such interface', async () => {
  const { url } = await started('deduplicate: true');
  expect((await post(`${url}/_bulk`, bulk(document('x')))).status).toBe(404);
  expect((await post(`${url}/`, '', { method: 'GET' })).status).toBe(405);
});

test('Every action has its item, and is no document', () => {
  const actions = ['{"index":{}}', '{"create":{"_index":"a","_id":"1"}}'];
  const { lines, stored } = fromBulk(Buffer.from(`${actions[0]}\n{"create":1}\n${actions[1]}\n{"index":{},"x":1}`));
  expect(lines.toString()).toBe('{"create":1}\n{"index":{},"x":1}');
  expect(JSON.parse(stored.body)).toMatchObject({ items: [{ index: { status: 201 } }, { create: { status: 201 } }] });
});

import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { Cluster, pod } from '../kubernetes/parts.ts';
import { Home } from './parts.ts';

const home = new Home();
const EXEC = 'a7hzqtz5cm6k2dnm7k2w';

interface Row {
  readonly [field: string]: unknown;
}

/** Steptap on a node with this API, whose rows go to files. */
async function node(cluster: Cluster, more = ''): Promise<ReturnType<Home['start']>> {
  const lines = [
    `sources: { pods: { type: files, paths: ['${home.path}/pods/*/*/*.log']${more} } }`,
    `enrichment: { kubernetes: { kubeconfig: '${cluster.kubeconfig()}', node: worker-3, wait_s: 1 } }`,
    `sinks: { files: { directory: '${home.path}/rows' }, prometheus: { listen: none } }`,
    `state: { directory: '${home.path}/state' }`,
  ];
  await writeFile(join(home.path, 'p.yaml'), lines.join('\n'));
  return home.start(['-c', 'p.yaml']);
}

async function says(uid: string, message: string, name = 'db-0'): Promise<void> {
  const path = join(home.path, 'pods', `ml-production_${name}_${uid}`, 'main', '0.log');
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `2026-02-19T10:30:44.189512345Z stderr F ${message}\n`);
}

/** The row with that message, as soon as it is stored. */
async function row(message: string): Promise<Row> {
  for (;;) {
    const rows = await home.rows('rows').catch(() => []);
    const found = rows.find((each) => each['message'] === message);
    if (found !== undefined) return found;
    await new Promise((later) => setTimeout(later, 20));
  }
}

test('a pod that is made anew under its name has its own labels, also when the old one says its last words', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('db-0', { uid: 'uid-old', labels: { app: 'old', 'execution-id': EXEC } }));
  const cli = await node(cluster);
  await says('uid-old', 'one');
  expect(await row('one')).toMatchObject({ app: 'old', execution_id: EXEC, node: 'worker-3', k8s_enriched: true });
  cluster.api.put(pod('db-0', { uid: 'uid-new', labels: { app: 'new' } }));
  await says('uid-new', 'two');
  await says('uid-old', 'last words');
  expect(await row('two')).toMatchObject({ app: 'new', pod_uid: 'uid-new', k8s_enriched: true });
  expect(await row('last words')).toMatchObject({ app: 'old', pod_uid: 'uid-old', k8s_enriched: true });
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
});

test('an API that is down stops no line, and is asked again', async () => {
  const cluster = await Cluster.start();
  await cluster.api.stop();
  const cli = await node(cluster);
  await says('uid-1', 'dark');
  expect(await row('dark')).toMatchObject({
    namespace: 'ml-production',
    pod: 'db-0',
    pod_uid: 'uid-1',
    k8s_enriched: false,
  });
  cluster.api.put(pod('db-0', { uid: 'uid-1', labels: { app: 'late' } }));
  await cluster.api.start();
  // Rows from then on are enriched, whenever that is.
  for (let n = 0; ; n++) {
    await says('uid-1', `line ${n}`);
    if ((await row(`line ${n}`))['app'] === 'late') break;
  }
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
});

test('an API that forbids is told of once, and stops no line', async () => {
  const cluster = await Cluster.start();
  cluster.api.forbidden.add('list pods');
  const cli = await node(cluster);
  await says('uid-1', 'one');
  expect(await row('one')).toMatchObject({ pod: 'db-0', k8s_enriched: false });
  cli.kill('SIGTERM');
  const { code, log } = await cli.ended;
  expect([code, log.filter(({ message }) => /forbid|may not/.test(message)).length]).toEqual([0, 1]);
});

test('a pod with the annotation is not read; where that is written down, one that nobody knows is not read until it is known', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('db-0', { uid: 'uid-1', annotations: { 'steptap.io/exclude': 'true' } }));
  cluster.api.put(pod('db-1', { uid: 'uid-2' }));
  const cli = await node(cluster, `, exclude_annotations: ['steptap.io/exclude']`);
  await says('uid-1', 'secret');
  await says('uid-3', 'unknown', 'db-2');
  await says('uid-2', 'told', 'db-1');
  await row('told');
  // Longer than the wait for metadata.
  await new Promise((over) => setTimeout(over, 1_500));
  expect((await home.rows('rows')).map(({ message }) => message)).toEqual(['told']);
  cluster.api.put(pod('db-2', { uid: 'uid-3' }));
  expect(await row('unknown')).toMatchObject({ k8s_enriched: true });
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  expect((await home.rows('rows')).map(({ message }) => message)).not.toContain('secret');
  await rm(join(home.path, 'pods'), { recursive: true });
});

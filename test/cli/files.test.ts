import { appendFile, chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Home, line, twice } from './parts.ts';

const home = new Home();
const root = process.getuid?.() === 0;

async function until(done: () => boolean): Promise<void> {
  while (!done()) await systemClock.sleep(5, new AbortController().signal);
}

async function pod(name: string, text: string): Promise<string> {
  const path = join(home.path, 'pods', `ns_${name}_6f1c8f5e-0000-4000-8000-000000000001`, 'main', '0.log');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

function cri(step: string): string {
  return `2026-02-19T10:30:44.189512345Z stderr F ${line(step)}`;
}

async function pipeline(url: string, more = ''): Promise<string> {
  const path = join(home.path, 'pipeline.yaml');
  const lines = [
    'sources:',
    `  pods: {type: files, paths: ['${home.path}/pods/*/*/*.log']${more}}`,
    'sinks:',
    `  clickhouse: {type: clickhouse, urls: ['${url}']}`,
    `state: {directory: '${home.path}/state'}`,
  ];
  await writeFile(path, lines.join('\n'));
  return path;
}

test.skipIf(!root)('a log that may not be read is said, with what to do, and the others are stored', async () => {
  const { server, backend } = await home.clickhouse();
  const secret = await pod('a', cri('secret'));
  await chmod(secret, 0o600);
  await pod('b', cri('told'));
  await chmod(home.path, 0o777);
  const args = ['-c', await pipeline(server.url), '--metrics', 'none'];
  const check = home.start(['check', '--json', ...args], { uid: 65_534 });
  const items = (await check.ended).stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as Record<string, string>);
  expect(items.filter(({ part }) => part === 'source pods')).toMatchObject([
    { what: 'logs', state: 'ok', found: '2 logs to read, 0 of them gone on with; 1 of them can be read' },
    { what: 'log', where: secret, state: 'warning', found: 'cannot be read (EACCES)' },
    { what: 'inotify' },
  ]);
  const run = home.start(args, { uid: 65_534 });
  const said = await run.said(/ns_a_.*cannot be read/);
  expect(said.message).toMatch(/\(EACCES\): let its user read it: containerd .* cri-o /);
  await until(() => backend.rows.length === 1);
  run.kill('SIGTERM');
  expect((await run.ended).code).toBe(0);
  expect(backend.rows.map(({ raw }) => raw)).toEqual(['told']);
});

test('logs go on where they were after a kill, and steptap check says which they are', async () => {
  const { server, backend } = await home.clickhouse();
  const args = ['-c', await pipeline(server.url), '--metrics', 'none'];
  const log = await pod('a', cri('one'));
  await pod('b', cri('two'));
  const first = home.start(args);
  await until(() => backend.rows.length === 2);
  first.kill('SIGKILL');
  await first.ended;
  await appendFile(log, cri('three'));
  const check = home.start(['check', ...args]);
  expect((await check.ended).stdout).toMatch(/logs +\S+ +2 logs to read, 2 of them gone on with/);
  const second = home.start(args);
  await until(() => backend.rows.length === 3);
  second.kill('SIGTERM');
  expect((await second.ended).code).toBe(0);
  expect(twice(backend)).toEqual([]);
});

test('pods cannot be excluded by annotations that nobody can be asked for', async () => {
  const path = await pipeline('http://127.0.0.1:1', ', exclude_annotations: [example.org/private]');
  const ended = await home.start(['-c', path, '--metrics', 'none']).ended;
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('nobody can be asked for annotations: give enrichment.kubernetes a kubeconfig');
});

test('A log that two sources name is read by one of them', async () => {
  const { server, backend } = await home.clickhouse();
  const log = await pod('a', cri('one'));
  const path = await pipeline(server.url);
  const more = (source: string): string => `sources: { other: ${source} }`;
  await writeFile(join(home.path, 'file.yaml'), more(`{ type: file, path: '${log}', follow: true }`));
  const refused = await home.start(['-c', path, '-c', join(home.path, 'file.yaml'), '--metrics', 'none']).ended;
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(`${log} is read already, by pods`)]);
  await writeFile(join(home.path, 'files.yaml'), more(`{ type: files, paths: ['${home.path}/pods/ns_*/main/*.log'] }`));
  const run = home.start(['-c', path, '-c', join(home.path, 'files.yaml'), '--metrics', 'none']);
  await run.said(/0\.log is read by files:(pods|other) already, and not a second time/);
  await until(() => backend.rows.length === 1);
  await appendFile(log, cri('two'));
  await until(() => backend.rows.length === 2);
  run.kill('SIGTERM');
  expect([(await run.ended).code, backend.rows.map(({ raw }) => raw)]).toEqual([0, ['one', 'two']]);
});

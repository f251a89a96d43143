import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { loadPipeline } from '../../src/config/load.ts';
import { Home } from '../cli/parts.ts';
import { runCli } from '../support/run-cli.ts';

const home = new Home();

const names = readdirSync('pipelines').filter((name) => name.endsWith('.yaml'));
const pipelines = names.filter((name) => !name.endsWith('.test.yaml'));

test('every pipeline that is shipped passes its tests', async () => {
  const { code, stdout, stderr } = await runCli(['test', '--json'], { cwd: '.' });
  const lines = stdout.trimEnd().split('\n');
  const said = lines.map(
    (line) => JSON.parse(line) as { file?: string; ok?: boolean; failures?: unknown[]; passed?: number },
  );
  expect(said.flatMap(({ failures = [] }) => failures)).toEqual([]);
  expect([code, stderr]).toEqual([0, '']);
  expect(said.at(-1)).toMatchObject({ passed: lines.length - 1, failed: 0 });
  const tested = new Set(said.map(({ file }) => file).filter((file) => file !== undefined));
  expect([...tested]).toEqual(
    names.filter((name) => name.endsWith('.test.yaml')).map((name) => join('pipelines', name)),
  );
});

test('those of flytekit.yaml fail where it says something else', async () => {
  const directory = join(home.path, 'pipelines');
  cpSync('pipelines', directory, { recursive: true });
  const path = join(directory, 'flytekit.yaml');
  const text = readFileSync(path, 'utf8')
    .replace(/params: \[.*\]/, 'params: all')
    .replace(/mask: \[.*\]/, 'mask: []');
  writeFileSync(path, text);
  const { code, stdout } = await runCli(['test', 'pipelines/flytekit.yaml'], { cwd: home.path });
  expect(code).toBe(1);
  expect(stdout).toMatch(/params.customer +expected +"\[redacted\]"\n +got +"ada"/);
  expect(stdout).toMatch(/attributes.api_key +expected +"\*\*\*"\n +got +"k-31337"/);
  expect(stdout).toMatch(/message +expected +"login password=\*\*\* ok"\n +got +"login password=hunter2 ok"/);
  expect(stdout).toContain(', 2 failed,');
});

test.each(pipelines)('%s loads as it is, in an empty environment', (name) => {
  expect(loadPipeline([join('pipelines', name)], {}).config).not.toEqual({});
});

/** Comments that are options: `# name: value`, deeper ones with more blanks behind the `#`. Prose has no colon behind its first word. */
const OPTION = /^( *)# ( *[a-z_]+:(?: .*)?)$/;

test.each(pipelines)('%s still loads when everything that is commented out in it is not', (name) => {
  const text = readFileSync(join('pipelines', name), 'utf8');
  const lines = text.split('\n').filter((line) => !line.includes('yaml-language-server'));
  const path = join(home.path, name);
  writeFileSync(path, lines.map((line) => line.replace(OPTION, '$1$2')).join('\n'));
  expect(loadPipeline([path], {}).config).not.toEqual({});
});

test('what is commented out in flytekit.yaml is a search server, a file, constants and hashes', () => {
  const lines = readFileSync('pipelines/flytekit.yaml', 'utf8').split('\n').slice(1);
  const path = join(home.path, 'all.yaml');
  writeFileSync(path, lines.map((line) => line.replace(OPTION, '$1$2')).join('\n'));
  const { sources, sinks, enrichment, privacy } = loadPipeline([path], {}).config;
  expect(Object.keys(sources!)).toEqual(['stdin', 'pods']);
  expect(Object.keys(sinks!)).toEqual(['clickhouse', 'elasticsearch', 'prometheus']);
  expect(enrichment).toEqual({ timezone: 'Europe/Berlin', constants: { namespace: 'ml-production' } });
  expect(privacy?.hash).toEqual(['user']);
});

test('the demo is flytekit.yaml with the engine inside the process', async () => {
  const of = ['flytekit.yaml', 'demo.yaml'].flatMap((name) => ['-c', resolve('pipelines', name)]);
  const input = ['--input', resolve('pipelines/flytekit.sample.log')];
  const { code, stderr } = await home.start([...of, ...input]).ended;
  expect(code, stderr).toBe(0);
  const sql =
    "SELECT countIf(params != '' AND params LIKE '%redacted%') > 0, countIf(step = 'execute_user_code') FROM steps";
  const { stdout } = await home.start(['query', ...of, '--format', 'TSV', sql]).ended;
  expect(stdout).toBe('1\t19\n');
});

test('own-events.yaml makes steps of lines that no dialect knows, and its labels are on the histogram', async () => {
  const rest = `sinks: { clickhouse: { urls: [], path: ./store }, prometheus: { listen: '127.0.0.1:0' } }\n`;
  writeFileSync(join(home.path, 'here.yaml'), rest);
  const cli = home.start(['-c', resolve('pipelines/own-events.yaml'), '-c', 'here.yaml']);
  const { metrics } = await cli.said(/^reading stdin/);
  await cli.write('{"event": "epoch_done", "v": 1, "name": "fit", "took_ms": 1250, "model": "resnet"}\n');
  let text = '';
  while (!/_count\{.*step="fit".*\} 1\n/.test(text)) text = await (await fetch(String(metrics))).text();
  expect(text).toMatch(/steptap_step_duration_seconds_sum\{.*model="resnet".*\} 1\.25\n/);
  cli.end();
  expect((await cli.ended).code).toBe(0);
});

test('what only the events themselves can tell is told with its place', async () => {
  const wrong = 'events:\n  epoch:\n    match: { event: e }\n    fields: { step: { key: name, unit: ms } }\n';
  writeFileSync(join(home.path, 'a.yaml'), wrong);
  writeFileSync(join(home.path, 'a.test.yaml'), 'tests: [{ name: a, input: x }]\n');
  const { code, stderr } = await runCli(['test', 'a.yaml'], { cwd: home.path });
  expect(stderr).toMatch(/^steptap: a\.yaml:4:\d+: events\.epoch\.fields\.step[^\n]*unit[^\n]*\n$/);
  expect(code).toBe(2);
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadPipeline } from '../../src/config/load.ts';
import { pipelineSchema, testSchema } from '../../src/config/publish.ts';
import { loadTests } from '../../src/pipeline-tests/load.ts';

const directory = mkdtempSync(join(tmpdir(), 'steptap-schema-'));
afterAll(() => rmSync(directory, { recursive: true }));

const ajv = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false });
const pipelines = ajv.compile(pipelineSchema());
const tests = ajv.compile(testSchema());

const read = (path: string): string => readFileSync(path, 'utf8');

test.each([
  ['pipeline.schema.json', []],
  ['test.schema.json', ['--tests']],
])('pipelines/%s is what steptap schema prints; npm run schemas writes it anew', (file, options) => {
  const printed = execFileSync(process.execPath, ['dist/cli/main.js', 'schema', ...options], { encoding: 'utf8' });
  expect(read(`pipelines/${file}`)).toBe(printed);
});

const SHIPPED = readdirSync('pipelines').filter((name) => name.endsWith('.yaml'));

test.each(SHIPPED)('an editor has nothing to say against %s', (file) => {
  const text = read(join('pipelines', file));
  const [schema, name] = file.endsWith('.test.yaml') ? [tests, 'test'] : [pipelines, 'pipeline'];
  expect(text.split('\n', 1)[0]).toBe(`# yaml-language-server: $schema=./${name}.schema.json`);
  expect([schema(parse(text)), schema.errors]).toEqual([true, null]);
});

/** What steptap itself says: undefined when it takes it. */
function refused(load: (file: string) => unknown, text: string): string | undefined {
  const file = join(directory, 'p.yaml');
  writeFileSync(file, text);
  try {
    load(file);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const pipelineRefused = (text: string): string | undefined =>
  refused((file) => loadPipeline([file], { NUMBER: '5', HOST: 'search', WORD: 'auto', KIND: 'step' }), text);

function agree(schema: ValidateFunction, text: string, refusal: string | undefined): boolean {
  const fits = schema(parse(text));
  expect({ text, fits, refusal: refusal !== undefined }).toEqual({ text, fits, refusal: !fits });
  return fits;
}

test.each([
  '',
  'sources:',
  'sources: { stdin: }',
  'sources: { stdin: {}, app-log: { type: file, path: a.log, follow: true } }',
  'sources: { file: { path: a.log } }',
  'sources: { file: { type: stdin } }',
  'sinks: { clickhouse: }',
  'sinks: { clickhouse: { path: here, tables: [steps, logs] } }',
  'sinks: { second: { type: clickhouse, urls: ["http://c:8123"], timeout_ms: "${env:NUMBER:-5}" } }',
  'sinks: { elasticsearch: { urls: ["http://${env:HOST}:9200"], create_template: "${env:WORD}", replicas: 1 } }',
  'sinks: { prometheus: { buckets: [0.1, 1, 10], max_series: "${env:NUMBER}" } }',
  'sinks: { files: { directory: out, max_file_bytes: 1g, drop_oldest: true } }',
  'privacy: { params: all, mask: [password] }',
  'privacy: { params: [epochs], hash: [user], hash_key: 0123456789abcdef }',
  'dialects: { flytekit: , log: { store: false } }',
  'events: { epoch: { match: { event: e, v: [1, 2] }, kind: step, schema: { type: object }, fields: { step: name, wall_time_s: { key: t, unit: ms } } } }',
  'events: { epoch: { match: { event: e }, kind: "${env:KIND}", labels: [model, { size: meta.size }], privacy: { mask: [email] } } }',
  'enrichment: { constants: { pod: "${env:HOST}" }, timezone: Europe/Berlin }',
  'enrichment: { kubernetes: { api: on, node: "${env:HOST}", wait_s: "${env:NUMBER}", labels: [app, "flyte.org/*"], owners: lookup } }',
  'state: { directory: none, sync: always, spool_bytes: "${env:WORD}", spool_memory: 12m }',
  'limits: { max_line_bytes: 4096, grace_s: "${env:NUMBER}" }',
])('an editor takes what steptap takes: %s', (text) => {
  expect(agree(pipelines, text, pipelineRefused(text))).toBe(true);
});

test.each([
  '- stdin',
  'sink: {}',
  'sources: [stdin]',
  'sources: { Stdin: { type: stdin } }',
  'sources: { kafka: }',
  'sources: { mine: { type: kafka } }',
  'sources: { file: }',
  'sources: { file: { follow: true } }',
  'sources: { mine: { type: stdin, path: a.log } }',
  'sources: { stdin: { follow: true } }',
  'sources: { mine: a.log }',
  'sinks: { clickhouse: { url: "http://c:8123" } }',
  'sinks: { clickhouse: { urls: ["c:8123"] } }',
  'sinks: { clickhouse: { timeout_ms: 0 } }',
  'sinks: { clickhouse: { timeout_ms: "5" } }',
  'sinks: { clickhouse: { create: sometimes } }',
  'sinks: { clickhouse: { type: elasticsearch } }',
  'sinks: { elasticsearch: }',
  'sinks: { search: { type: elasticsearch, urls: [] } }',
  'sinks: { search: { type: elasticsearch, urls: ["http://s:9200"], prefix: Upper } }',
  'sinks: { files: { directory: "" } }',
  'sinks: { files: { directory: out, tables: [spans] } }',
  'sinks: { prometheus: { drop_oldest: true } }',
  'sinks: { prometheus: { buckets: [0] } }',
  'privacy: { params: some }',
  'privacy: { mask: password }',
  'privacy: { hash_key: short }',
  'dialects: { flyte: {} }',
  'dialects: { log: { store: maybe } }',
  'events: { epoch: }',
  'events: { epoch: { match: {} } }',
  'events: { epoch: { match: { event: e }, kind: stage } }',
  'events: { epoch: { match: { event: e }, fields: { stap: name } } }',
  'events: { epoch: { match: { event: e }, fields: { wall_time_s: { key: t, unit: weeks } } } }',
  'enrichment: { constants: { colour: red } }',
  'enrichment: { kubernetes: { api: yes } }',
  'enrichment: { kubernetes: { labels: ["*/name"] } }',
  'state: { sync: sometimes }',
  'state: { spool_bytes: lots }',
  'limits: { grace_s: -1 }',
  'limits: { grace_s: "30" }',
])('an editor refuses what steptap refuses: %s', (text) => {
  expect(agree(pipelines, text, pipelineRefused(text))).toBe(false);
});

const HERE = 'pipeline: p.yaml\n';

test.each([
  [
    true,
    `${HERE}tests: [{ name: a, input: x, events: [{ kind: log, attributes: { a: b }, attempt: absent, lines: 2 }] }]`,
  ],
  [true, `${HERE}tests: [{ name: a, input: [x, "y"], more: true, rejections: [{ reason: schema, cut: true }] }]`],
  [false, `${HERE}tests: []`],
  [false, `${HERE}tests: [{ name: a }]`],
  [false, `${HERE}tests: [{ name: a, input: { files: x } }]`],
  [false, `${HERE}tests: [{ name: a, input: x, events: [{ knd: log }] }]`],
  [false, `${HERE}tests: [{ name: a, input: x, events: [{ attempt: none }] }]`],
  [false, `${HERE}tests: [{ name: a, input: x, events: [{ attributes: { a: 1 } }] }]`],
  [false, `${HERE}tests: [{ name: a, input: x, now: today }]`],
])('an editor and steptap test agree (%s): %s', (fits, text) => {
  expect(agree(tests, text, refused(loadTests, text))).toBe(fits);
});

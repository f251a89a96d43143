import { Ajv } from 'ajv';
import { afterEach, expect, test } from 'vitest';
import { EVENT_TABLES, fieldsOf, type Field } from '../../../src/fields.ts';
import { ELASTICSEARCH_DEFAULTS, elasticsearchOptions } from '../../../src/sinks/elasticsearch/index.ts';
import { TEMPLATE_VERSION, indexTemplate } from '../../../src/sinks/elasticsearch/template.ts';
import { failure, never, sinkOf, startFaultyServer, told, type FaultyServer, type Reply } from './faulty-server.ts';

let server: FaultyServer | undefined;
afterEach(async () => {
  await server?.stop();
  told.length = 0;
});

const BANNER = { status: 200, body: { version: { number: '8.17.2', build_flavor: 'default' } } };
const OPENSEARCH = { status: 200, body: { version: { number: '3.1.0', distribution: 'opensearch' } } };

/** Answers to GET / with `banner`, to GET of a template with `present`, to PUT of one with `put`. */
async function cluster(
  banner: Reply,
  present: Reply = { status: 404 },
  put: Reply = { status: 200 },
): Promise<FaultyServer> {
  server = await startFaultyServer((response, { method, path }) => {
    const reply = path === '/' ? banner : method === 'GET' ? present : put;
    if (typeof reply === 'function') return;
    response.writeHead(reply.status).end(JSON.stringify(reply.body ?? {}));
  });
  return server;
}

const template = (version?: number): Reply => ({
  status: 200,
  body: { index_templates: [{ name: 'x', index_template: version === undefined ? {} : { version } }] },
});

const puts = ({ received }: FaultyServer): string[] =>
  received.filter(({ method }) => method === 'PUT').map(({ path }) => path);

const ALL = EVENT_TABLES.map((table) => `/_index_template/steptap-${table}`);

test('a new cluster gets a template for each table', async () => {
  const { url } = await cluster(BANNER);
  const sink = sinkOf([url], { shards: 3, replicas: 0 });
  await sink.open(never);
  expect(puts(server!)).toEqual(ALL);
  expect(JSON.parse(server!.received.at(-1)!.body)).toEqual(
    indexTemplate('tasks', { prefix: 'steptap', flavour: 'elasticsearch', shards: 3, replicas: 0 }),
  );
  expect(sink.describe()).toBe(`Elasticsearch 8.17.2 at ${url}`);
  await sink.close();
  await sink.close();
});

test('OpenSearch is known by its banner, and gets the field types that it has', async () => {
  const { url, received } = await cluster(OPENSEARCH);
  const sink = sinkOf([url]);
  await sink.open(never);
  expect(sink.describe()).toBe(`OpenSearch 3.1.0 at ${url}`);
  expect(received.at(-1)?.body).toContain('"attributes":{"type":"flat_object"}');
  expect(received.at(-1)?.body).not.toContain('flattened');
});

test('a template of this version stays as the operator left it, an older one and one without version are replaced', async () => {
  await sinkOf([(await cluster(BANNER, template(TEMPLATE_VERSION))).url]).open(never);
  expect(puts(server!)).toEqual([]);
  for (const older of [template(TEMPLATE_VERSION - 1), template()]) {
    await server!.stop();
    await sinkOf([(await cluster(BANNER, older)).url]).open(never);
    expect(puts(server!)).toEqual(ALL);
  }
});

const LOSS: Field = { name: 'loss', clickhouse: '', search: 'double', tables: ['events'], meaning: 'a.B' };

test("a template of this version gets the fields that a pipeline declares, and keeps the operator's", async () => {
  const own = {
    version: TEMPLATE_VERSION,
    created_date: '2026-11-22T00:00:00Z',
    index_patterns: ['steptap-events-*'],
    _meta: { team: 'ml', declared: { older: 'a.A' } },
    template: { settings: { codec: 'best_compression' }, mappings: { properties: { ts: { type: 'date' } } } },
  };
  const body = { index_templates: [{ name: 'x', index_template: own }] };
  const { url } = await cluster(BANNER, { status: 200, body });
  await sinkOf([url], {}, { declared: [LOSS] }).open(never);
  expect(puts(server!)).toEqual(['/_index_template/steptap-events']);
  const { created_date: _, ...kept } = own;
  const put = server!.received.find(({ method }) => method === 'PUT');
  expect(JSON.parse(put!.body)).toEqual({
    ...kept,
    _meta: { team: 'ml', declared: { older: 'a.A', loss: 'a.B' } },
    template: {
      ...own.template,
      mappings: { properties: { ts: { type: 'date' }, loss: { type: 'double', ignore_malformed: true } } },
    },
  });
  await server!.stop();
  const whole = { ...own, template: { mappings: { properties: { loss: { type: 'float' } } } } };
  const there = { status: 200, body: { index_templates: [{ name: 'x', index_template: whole }] } };
  await sinkOf([(await cluster(BANNER, there)).url], {}, { declared: [LOSS] }).open(never);
  expect(puts(server!)).toEqual([]);
});

test('a template of more fields than an index has by default says so; a larger limit of the operator stays', async () => {
  const declared = Array.from({ length: 1_500 }, (_, n): Field => ({ ...LOSS, name: `loss${n}` }));
  const limit = async (present: Record<string, unknown> | undefined): Promise<unknown> => {
    const body = { index_templates: [{ name: 'x', index_template: { version: TEMPLATE_VERSION, ...present } }] };
    const { url } = await cluster(BANNER, present === undefined ? { status: 404 } : { status: 200, body });
    await sinkOf([url], {}, { declared }).open(never);
    const put = server!.received.find(({ method, path }) => method === 'PUT' && path.includes('events'));
    await server!.stop();
    const { template: made } = JSON.parse(put!.body) as { template: { settings?: unknown } };
    return made.settings;
  };
  const room = fieldsOf('events', declared).length + 1_000;
  expect(await limit(undefined)).toEqual({ 'index.mapping.total_fields.limit': expect.toSatisfy((n) => n >= room) });
  const own = (total: string): object => ({
    template: { settings: { index: { codec: 'best_compression', mapping: { total_fields: { limit: total } } } } },
  });
  expect(await limit({ ...own('1000') })).toEqual({
    'index.codec': 'best_compression',
    'index.mapping.total_fields.limit': 2_500,
  });
  expect(await limit({ ...own('9000') })).toEqual({
    index: { codec: 'best_compression', mapping: { total_fields: { limit: '9000' } } },
  });
});

test('a user that may not put templates can use older ones, with a warning, and is told what to do without', async () => {
  await sinkOf([(await cluster(BANNER, template(0), { status: 403 })).url]).open(never);
  expect(told).toHaveLength(EVENT_TABLES.length);
  expect(told[0]).toContain('warning: index template steptap-steps is older');
  await server!.stop();
  const error = await failure(sinkOf([(await cluster(BANNER, { status: 404 }, { status: 403 })).url]).open(never));
  expect(error).toMatchObject({ failure: 'hold', code: 'HTTP 403' });
  expect(error.message).toMatch(/manage_index_templates.*create_template: never/);
});

test('with create_template never the cluster is only asked who it is', async () => {
  await sinkOf([(await cluster(BANNER)).url], { create_template: 'never' }).open(never);
  expect(server!.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /']);
});

test.each<[string, Reply, string, string]>([
  ['the user is not known', { status: 401 }, 'hold', 'HTTP 401'],
  ['the cluster is starting', { status: 503 }, 'retry', 'HTTP 503'],
  ['something else is there', { status: 200, body: { hello: 'world' } }, 'hold', 'NO_BANNER'],
  ['a login page is there', { status: 200, body: '<html>' }, 'hold', 'NO_BANNER'],
])('opening says so when %s', async (_, banner, kind, code) => {
  const error = await failure(sinkOf([(await cluster(banner)).url]).open(never));
  expect(error).toMatchObject({ failure: kind, code });
});

test('a template that the cluster refuses is a matter for the operator', async () => {
  const body = { error: { type: 'illegal_argument_exception' } };
  const error = await failure(sinkOf([(await cluster(BANNER, undefined, { status: 400, body })).url]).open(never));
  expect(error).toMatchObject({ failure: 'hold', code: 'HTTP 400' });
});

test('options have defaults, and a prefix that is no index name is refused', () => {
  const validate = new Ajv({ useDefaults: true }).compile(elasticsearchOptions);
  const options: Record<string, unknown> = { urls: ['https://es:9200'] };
  expect(validate(options)).toBe(true);
  expect(options).toEqual({ ...ELASTICSEARCH_DEFAULTS, urls: ['https://es:9200'] });
  for (const prefix of ['Steptap', '_x', '-x', '.x', 'a/b', 'a*', 'a b', '', 'ü', '../x', 'a"b', 'x'.repeat(101)]) {
    expect([prefix, validate({ urls: ['https://es:9200'], prefix })]).toEqual([prefix, false]);
  }
  for (const prefix of ['steptap', 'prod-eu.1', 'a_b', '9'])
    expect(validate({ urls: ['http://es'], prefix })).toBe(true);
  for (const urls of [[], ['es:9200'], ['file:///etc/passwd']]) expect(validate({ urls })).toBe(false);
  expect(validate({ urls: ['http://es'], api_key: 'a\nb' })).toBe(false);
});

import { afterEach, expect, test } from 'vitest';
import { EVENT_TABLES } from '../../../src/fields.ts';
import { TEMPLATE_VERSION } from '../../../src/sinks/elasticsearch/template.ts';
import type { CheckItem } from '../../../src/check/item.ts';
import type { ElasticsearchOptions } from '../../../src/sinks/elasticsearch/index.ts';
import { describeWithServer } from '../../support/with-server.ts';
import { never, sinkOf, startFaultyServer, type FaultyServer } from './faulty-server.ts';

const servers: FaultyServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

interface Reply {
  readonly status: number;
  readonly body?: unknown;
}

const ELASTICSEARCH = { version: { number: '8.14.3' } };
const OPENSEARCH = { version: { number: '2.19.1', distribution: 'opensearch' } };

/** A cluster that answers each path as it is told, and others with 404. */
async function clusterOf(paths: Readonly<Record<string, Reply>>): Promise<FaultyServer> {
  const server = await startFaultyServer((response, { path }) => {
    const { status, body = {} } = paths[path] ?? { status: 404 };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  servers.push(server);
  return server;
}

async function words(urls: readonly string[], options: Partial<ElasticsearchOptions> = {}): Promise<string[]> {
  const items = await sinkOf(urls, options).check!(never);
  return items
    .filter(({ what }) => what !== 'indices')
    .map(({ what, where, state, found }) => `${state}: ${what} ${where.replace(/^http:.*/, '')}: ${found}`);
}

const HAS = '/_security/user/_has_privileges';
const template = (version: number): Reply => ({
  status: 200,
  body: { index_templates: [{ index_template: { version } }] },
});

test('privileges are asked for, and each that is missing is named', async () => {
  const given = (refused: readonly string[]): Reply => ({
    status: 200,
    body: {
      cluster: Object.fromEntries(['monitor', 'manage_index_templates'].map((name) => [name, !refused.includes(name)])),
      index: {
        'steptap-*': Object.fromEntries(['create_doc', 'read'].map((name) => [name, !refused.includes(name)])),
        'steptap-tasks-*': { index: !refused.includes('index') },
      },
    },
  });
  const rights = async (refused: readonly string[]): Promise<string | undefined> => {
    const server = await clusterOf({ '/': { status: 200, body: ELASTICSEARCH }, [HAS]: given(refused) });
    const said = (await words([server.url])).at(-1);
    expect(server.received.every(({ method, path }) => method === 'GET' || path === HAS)).toBe(true);
    return said;
  };
  const all = 'monitor, manage_index_templates, create_doc, create_index, read, maintenance, index (steptap-tasks-*)';
  expect(await rights([])).toBe(`ok: rights steptap-*: may ${all}`);
  expect(await rights(['create_doc', 'manage_index_templates'])).toBe(
    'problem: rights steptap-*: may not manage_index_templates, create_doc',
  );
  expect(await rights(['index'])).toBe('problem: rights steptap-*: may not index (steptap-tasks-*)');
  expect(await rights(['read'])).toBe('warning: rights steptap-*: may not read, which steptap audit needs');
});

test('a cluster that does not tell what its user may is said to be such', async () => {
  const opensearch = await clusterOf({
    '/': { status: 200, body: OPENSEARCH },
    '/_plugins/_security/authinfo': { status: 200 },
  });
  expect((await words([opensearch.url])).at(-1)).toMatch(/^unknown: rights steptap-\*: OpenSearch does not tell/);
  const elasticsearch = await clusterOf({ '/': { status: 200, body: ELASTICSEARCH }, [HAS]: { status: 403 } });
  expect((await words([elasticsearch.url])).at(-1)).toBe(
    'unknown: rights steptap-*: the cluster does not tell (HTTP 403)',
  );
});

test('templates that are there, old, missing or not to be seen are told apart', async () => {
  const paths = {
    '/': { status: 200, body: ELASTICSEARCH },
    '/_index_template/steptap-steps': template(TEMPLATE_VERSION),
    '/_index_template/steptap-logs': template(0),
  };
  const server = await clusterOf(paths);
  expect((await words([server.url])).slice(1, 4)).toEqual([
    'ok: template steptap-steps: is there, as it should be',
    'warning: template steptap-logs: is that of an older steptap; a run replaces it',
    'ok: template steptap-events: is not there yet; a run puts it',
  ]);
  const items = await sinkOf([server.url], { create_template: 'never', shards: 2 }).check!(never);
  const missing = items.find(({ where }) => where === 'steptap-events') as CheckItem;
  expect(missing.state).toBe('warning');
  expect(missing.statements?.[0]).toMatch(
    /^PUT \/_index_template\/steptap-events\n\{"index_patterns":\["steptap-events-\*"\].*"index.number_of_shards":2/,
  );
  const closed = await clusterOf({ ...paths, '/_index_template/steptap-steps': { status: 403 } });
  expect((await words([closed.url]))[1]).toMatch(
    /^problem: templates : answered GET \/_index_template\/steptap-steps with HTTP 403/,
  );
});

test('every address is asked: one that is gone is a warning while another works, one that refuses is a problem', async () => {
  const good = await clusterOf({ '/': { status: 200, body: ELASTICSEARCH } });
  const refusing = await clusterOf({ '/': { status: 401 } });
  const gone = await clusterOf({});
  await servers.pop()!.stop();
  expect((await words([gone.url, good.url, refusing.url])).slice(0, 3)).toEqual([
    'warning: server : cannot be reached (ECONNREFUSED)',
    'ok: server : Elasticsearch 8.14.3',
    'problem: server : answered GET / with HTTP 401',
  ]);
  expect(await words([gone.url])).toEqual(['problem: server : cannot be reached (ECONNREFUSED)']);
});

test.each([
  [{ version: { number: '7.7.1' } }, 'problem: server : Elasticsearch 7.7.1 is too old'],
  [{ version: { number: '7.8.0' } }, 'ok: server : Elasticsearch 7.8.0'],
  [{ version: { number: '2.6.0', distribution: 'opensearch' } }, 'problem: server : OpenSearch 2.6.0 is too old'],
  [{ version: { number: '3.0.0', distribution: 'opensearch' } }, 'ok: server : OpenSearch 3.0.0'],
  [{ name: 'something else' }, 'problem: server : is neither Elasticsearch nor OpenSearch'],
])('what stands at the address is looked at: %j', async (body, said) => {
  const server = await clusterOf({ '/': { status: 200, body } });
  expect((await words([server.url]))[0]).toBe(said);
});

for (const kind of ['elasticsearch', 'opensearch'] as const) {
  describeWithServer(kind, (server) => {
    test('a cluster is left as it was, and what a run then makes is as it should be', async () => {
      const state = async (): Promise<unknown> => {
        const answers = ['/_index_template', '/_cat/indices?h=index&expand_wildcards=all'].map(async (path) => {
          return (await fetch(server().url + path)).text();
        });
        return Promise.all(answers);
      };
      const options = { prefix: 'looked' };
      const before = await state();
      const first = await words([server().url], options);
      expect(first[0]).toMatch(kind === 'opensearch' ? /^ok: server : OpenSearch 2/ : /^ok: server : Elasticsearch 8/);
      expect(first.slice(1)).toEqual([
        ...EVENT_TABLES.map((table) => `ok: template looked-${table}: is not there yet; a run puts it`),
        'ok: rights looked-*: the cluster has no security: none are needed',
      ]);
      expect(await state()).toEqual(before);
      const [, ...lacking] = await sinkOf([server().url], { ...options, create_template: 'never' }).check!(never);
      for (const statement of lacking.flatMap(({ statements = [] }) => statements)) {
        const [, path, body] = /^PUT (\S+)\n(.*)$/.exec(statement)!;
        const headers = { 'content-type': 'application/json' };
        expect((await fetch(server().url + path!, { method: 'PUT', headers, body: body! })).status).toBe(200);
      }
      expect(
        (await words([server().url], { ...options, create_template: 'never' })).slice(1, 1 + EVENT_TABLES.length),
      ).toEqual(EVENT_TABLES.map((table) => `ok: template looked-${table}: is there, as it should be`));
    });
  });
}

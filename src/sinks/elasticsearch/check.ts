import type { Table } from '../../batch.ts';
import { failed, inTime, type CheckItem } from '../../check/item.ts';
import type { Clock } from '../../clock.ts';
import { EVENT_TABLES, KEYED_TABLES, type Field } from '../../fields.ts';
import { fileItems, wayItems } from '../../outgoing/check.ts';
import { outgoing } from '../../outgoing/index.ts';
import { SinkError, type SinkContext } from '../sink.ts';
import { jsonOf, object } from './errors.ts';
import { SearchHttp } from './http.ts';
import { identify, presentTemplate, templatePath, versionOf, type Cluster } from './open.ts';
import type { ElasticsearchOptions } from './schema.ts';
import { indexName, indexTemplate, TEMPLATE_VERSION, templateName, withDeclared, type Flavour } from './template.ts';

/** Composable templates came with the one, `flat_object` with the other. */
const OLDEST: Readonly<Record<Flavour, readonly [number, number]>> = { elasticsearch: [7, 8], opensearch: [2, 7] };

interface Context {
  readonly clock: Clock;
  readonly environment: SinkContext['environment'];
  readonly declared: SinkContext['declared'];
  /** Whose rows go there. */
  readonly tables: readonly Table[];
}

/** What a run would find: every address, and the templates and privileges behind the first that answers. Only asks. */
export async function checkElasticsearch(
  options: ElasticsearchOptions,
  context: Context,
  signal: AbortSignal,
): Promise<CheckItem[]> {
  // Files that are not as they should be are items, not lines of a log.
  const own = { ...context, log: () => {} };
  const https = outgoing(options, own).map((way) => new SearchHttp(options, own, [way]));
  try {
    const nodes = await Promise.all(https.map((http) => askNode(http, context, inTime(signal))));
    const good = nodes.find(({ cluster }) => cluster !== undefined);
    // A run goes on with the next address where one cannot be reached, and stands still where one refuses.
    const items = [
      ...fileItems(options, context.clock),
      ...https.flatMap(({ ways }) => ways.flatMap((way) => wayItems(way, context.clock))),
      ...nodes.map(({ item, gone }) =>
        good !== undefined && gone === true ? { ...item, state: 'warning' as const } : item,
      ),
    ];
    if (good?.cluster === undefined) return items;
    const day = new Date(context.clock.wall()).toISOString().slice(0, 10);
    const where = context.tables.map((table) => indexName(options.prefix, table, day)).join(', ');
    items.push({ what: 'indices', where, state: 'ok', found: 'is where rows of today go' });
    const { ask } = good;
    for (const more of [templateItems, privilegeItems]) {
      items.push(
        ...(await more(ask, good.cluster, options, context.tables).catch((error: unknown) => [
          troubled(error, ask.http.address),
        ])),
      );
    }
    return items;
  } finally {
    for (const http of https) http.close();
  }
}

/** One node, what is left of its time, and the clock. */
interface Ask {
  readonly http: SearchHttp;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly declared: readonly Field[];
}

interface Node {
  readonly ask: Ask;
  readonly item: CheckItem;
  readonly cluster?: Cluster;
  /** Nobody is there. */
  readonly gone?: boolean;
}

async function askNode(http: SearchHttp, { clock, declared = [] }: Context, signal: AbortSignal): Promise<Node> {
  const ask = { http, clock, signal, declared };
  const server = { what: 'server', where: http.address };
  try {
    const cluster = await identify(http, clock, signal);
    const name = `${cluster.flavour === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${cluster.version}`;
    if (isOlder(cluster)) {
      const todo = `use ${cluster.flavour} ${OLDEST[cluster.flavour].join('.')} or newer`;
      return { ask, item: { ...server, state: 'problem', found: `${name} is too old`, todo } };
    }
    return { ask, item: { ...server, state: 'ok', found: name }, cluster };
  } catch (error) {
    const gone = error instanceof SinkError && !error.code.startsWith('HTTP') && error.failure === 'retry';
    return { ask, item: { ...troubled(error, server.where), what: 'server' }, gone };
  }
}

function isOlder({ flavour, version }: Cluster): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [least, of] = OLDEST[flavour];
  return major < least || (major === least && minor < of);
}

async function templateItems(
  { http, clock, signal, declared }: Ask,
  { flavour }: Cluster,
  { prefix, shards, replicas, create_template }: ElasticsearchOptions,
): Promise<CheckItem[]> {
  const items: CheckItem[] = [];
  for (const table of EVENT_TABLES) {
    const name = templateName(prefix, table);
    const present = await presentTemplate(http, name, clock, signal);
    const item = { what: 'template', where: name };
    const current = present !== undefined && versionOf(present) >= TEMPLATE_VERSION;
    const added = current ? withDeclared(present, table, flavour, declared) : undefined;
    if (current && added === undefined) {
      items.push({ ...item, state: 'ok', found: 'is there, as it should be' });
      continue;
    }
    const older = current ? 'lacks declared fields' : 'is that of an older steptap';
    const lacking = present === undefined ? 'is not there' : older;
    if (create_template === 'auto') {
      const found =
        present === undefined
          ? `${lacking} yet; a run puts it`
          : `${lacking}; a run ${current ? 'adds them' : 'replaces it'}`;
      items.push({ ...item, state: present === undefined ? 'ok' : 'warning', found });
      continue;
    }
    // A run does not ask for it: rows are stored all the same, and indexed as the cluster thinks best.
    const body = JSON.stringify(added ?? indexTemplate(table, { prefix, shards, replicas, flavour, declared }));
    const found = `${lacking}: new indices would not have steptap's mapping`;
    const todo = 'put it with the request, or let steptap do it with create_template: auto';
    items.push({ ...item, state: 'warning', found, todo, statements: [`PUT ${templatePath(name)}\n${body}`] });
  }
  return items;
}

/** Elasticsearch tells what its user may; OpenSearch's security plugin does not. Where there is no security, nothing is needed. */
async function privilegeItems(
  ask: Ask,
  cluster: Cluster,
  options: ElasticsearchOptions,
  tables: readonly Table[],
): Promise<CheckItem[]> {
  const { http, signal } = ask;
  const item = { what: 'rights', where: `${options.prefix}-*` };
  const ofCluster = ['monitor', ...(options.create_template === 'auto' ? ['manage_index_templates'] : [])];
  const ofIndex = ['create_doc', 'create_index', 'read', 'maintenance'];
  // A newer row takes the place of an older one.
  const keyed = tables.filter((table) => KEYED_TABLES.has(table)).map((table) => `${options.prefix}-${table}-*`);
  const all = [...ofCluster, ...ofIndex, ...keyed.map((name) => `index (${name})`)].join(', ');
  if (cluster.flavour === 'opensearch') {
    const { status } = await http.request({ method: 'GET', path: '/_plugins/_security/authinfo' }, signal);
    if (status !== 200) return [{ ...item, state: 'ok', found: 'the cluster has no security: none are needed' }];
    const found = `OpenSearch does not tell whether the user may ${all}`;
    return [{ ...item, state: 'unknown', found, todo: 'see its role' }];
  }
  const ofKeyed = keyed.length === 0 ? [] : [{ names: keyed, privileges: ['index'] }];
  const wanted = { cluster: ofCluster, index: [{ names: [item.where], privileges: ofIndex }, ...ofKeyed] };
  const body = Buffer.from(JSON.stringify(wanted));
  const answer = await http.request({ method: 'POST', path: '/_security/user/_has_privileges', body }, signal);
  const said = jsonOf(answer);
  if (answer.status === 200 && said !== undefined) {
    const index = object(said['index']);
    const lacked = [
      ...refused(said['cluster']),
      ...refused(index?.[item.where]),
      ...keyed.flatMap((name) => refused(index?.[name]).map((right) => `${right} (${name})`)),
    ];
    if (lacked.length === 0) return [{ ...item, state: 'ok', found: `may ${all}` }];
    // Rows are counted for `steptap audit` only.
    const audit = lacked.every((right) => right === 'read' || right === 'maintenance');
    const found = `may not ${lacked.join(', ')}${audit ? ', which steptap audit needs' : ''}`;
    return [
      { ...item, state: audit ? 'warning' : 'problem', found, todo: 'give the role of the user these privileges' },
    ];
  }
  // Without security there is nothing at that path, and no two versions say so alike.
  const type = object(said?.['error'])?.['type'];
  const none = answer.status < 500 ? ![401, 403, 408, 429].includes(answer.status) : type === NO_SECURITY;
  if (none) return [{ ...item, state: 'ok', found: 'the cluster has no security: none are needed' }];
  return [
    { ...item, state: 'unknown', found: `the cluster does not tell (HTTP ${answer.status})`, todo: 'see its role' },
  ];
}

const NO_SECURITY = 'feature_not_enabled_exception';

function refused(given: unknown): string[] {
  return Object.entries(object(given) ?? {}).flatMap(([name, has]) => (has === true ? [] : [name]));
}

function troubled(error: unknown, where: string): CheckItem {
  if (!(error instanceof SinkError)) throw error;
  const item = { what: 'templates', where, state: 'problem' as const };
  if (error.code !== 'ABORTED')
    return { ...item, todo: 'check `urls`, and whether it runs', ...failed(error.message, where) };
  return {
    ...item,
    found: 'gave no answer in time',
    todo: 'see whether it is overloaded, or a firewall drops what is sent to it',
  };
}

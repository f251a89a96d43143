import type { Clock } from '../../clock.ts';
import { EVENT_TABLES, type EventTable } from '../../fields.ts';
import type { Log } from '../../log.ts';
import { SinkError } from '../sink.ts';
import { jsonOf, wholeFailure } from './errors.ts';
import type { Answer, SearchHttp } from './http.ts';
import type { ElasticsearchOptions } from './schema.ts';
import { TEMPLATE_VERSION, indexTemplate, templateName, type Flavour } from './template.ts';

export interface Cluster {
  readonly flavour: Flavour;
  readonly version: string;
}

interface Context {
  readonly clock: Clock;
  readonly log: Log;
}

/** Finds out what stands at the address and makes sure that new indices get our mapping. Rejects with a SinkError. */
export async function openCluster(
  http: SearchHttp,
  options: ElasticsearchOptions,
  context: Context,
  signal: AbortSignal,
): Promise<Cluster> {
  const cluster = await identify(http, context.clock, signal);
  if (options.create_template === 'never') return cluster;
  const { prefix, shards, replicas } = options;
  for (const table of EVENT_TABLES) {
    const template = indexTemplate(table, { prefix, shards, replicas, flavour: cluster.flavour });
    await putTemplate(http, table, Buffer.from(JSON.stringify(template)), options, context, signal);
  }
  return cluster;
}

/** What stands at the address. */
export async function identify(http: SearchHttp, clock: Clock, signal: AbortSignal): Promise<Cluster> {
  const answer = await http.request({ method: 'GET', path: '/' }, signal);
  if (answer.status !== 200) throw wholeFailure(answer, 'GET /', 'the cluster (privilege monitor)', clock);
  return clusterOf(answer);
}

function clusterOf(answer: Answer): Cluster {
  const version = jsonOf(answer)?.['version'];
  if (typeof version === 'object' && version !== null && 'number' in version && typeof version.number === 'string') {
    const flavour = 'distribution' in version && version.distribution === 'opensearch' ? 'opensearch' : 'elasticsearch';
    return { flavour, version: version.number.replace(/[^\w.-]/g, '').slice(0, 40) };
  }
  throw new SinkError('hold', 'NO_BANNER', `${answer.from} is neither Elasticsearch nor OpenSearch: check urls`);
}

/** Puts a template where there is none or an older one. An operator's changes to one of this version stay. */
async function putTemplate(
  http: SearchHttp,
  table: EventTable,
  body: Buffer,
  options: ElasticsearchOptions,
  { clock, log }: Context,
  signal: AbortSignal,
): Promise<void> {
  const name = templateName(options.prefix, table);
  const path = templatePath(name);
  const present = await templateVersion(http, name, clock, signal);
  if (present !== undefined && present >= TEMPLATE_VERSION) return;
  const put = await http.request({ method: 'PUT', path, body }, signal);
  if (put.status === 200) return;
  if (put.status === 403 && present !== undefined) {
    log(
      'warning',
      `index template ${name} is older than this steptap and may not be replaced: new fields are not indexed`,
    );
    return;
  }
  if (put.status !== 403) throw wholeFailure(put, `PUT ${path}`, `the template ${name}`, clock);
  const advice = 'allow it manage_index_templates, or put the template yourself and set create_template: never';
  throw new SinkError('hold', 'HTTP 403', `${put.from} does not let steptap put index template ${name}: ${advice}`);
}

export function templatePath(name: string): string {
  return `/_index_template/${encodeURIComponent(name)}`;
}

/** The version of a template that is there. */
export async function templateVersion(
  http: SearchHttp,
  name: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<number | undefined> {
  const path = templatePath(name);
  const asked = await http.request({ method: 'GET', path }, signal);
  if (asked.status === 200) return versionOf(asked);
  if (asked.status === 404) return undefined;
  throw wholeFailure(asked, `GET ${path}`, name, clock);
}

/** `version` of the template in the answer; 0 when it has none. */
function versionOf(answer: Answer): number {
  const list = jsonOf(answer)?.['index_templates'];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  if (typeof first !== 'object' || first === null || !('index_template' in first)) return 0;
  const { index_template: template } = first;
  if (typeof template !== 'object' || template === null || !('version' in template)) return 0;
  return typeof template.version === 'number' ? template.version : 0;
}

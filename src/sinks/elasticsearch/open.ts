import type { Clock } from '../../clock.ts';
import { EVENT_TABLES, type EventTable, type Field } from '../../fields.ts';
import type { Log } from '../../log.ts';
import { SinkError } from '../sink.ts';
import { jsonOf, wholeFailure } from './errors.ts';
import type { Answer, SearchHttp } from './http.ts';
import type { ElasticsearchOptions } from './schema.ts';
import { TEMPLATE_VERSION, indexTemplate, templateName, withDeclared, type Flavour } from './template.ts';

export interface Cluster {
  readonly flavour: Flavour;
  readonly version: string;
}

interface Context {
  readonly clock: Clock;
  readonly log: Log;
  readonly declared?: readonly Field[] | undefined;
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
    const { flavour } = cluster;
    const template = indexTemplate(table, { prefix, shards, replicas, flavour, declared: context.declared });
    await putTemplate(http, table, template, flavour, options, context, signal);
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

/** Puts a template where there is none or an older one. An operator's changes to one of this version stay: it only gets what a pipeline declares. */
async function putTemplate(
  http: SearchHttp,
  table: EventTable,
  template: Template,
  flavour: Flavour,
  options: ElasticsearchOptions,
  { clock, log, declared = [] }: Context,
  signal: AbortSignal,
): Promise<void> {
  const name = templateName(options.prefix, table);
  const path = templatePath(name);
  const present = await presentTemplate(http, name, clock, signal);
  const current = present !== undefined && versionOf(present) >= TEMPLATE_VERSION;
  const wanted = current ? withDeclared(present, table, flavour, declared) : template;
  if (wanted === undefined) return;
  const body = Buffer.from(JSON.stringify(wanted));
  const put = await http.request({ method: 'PUT', path, body }, signal);
  if (put.status === 200) return;
  if (put.status === 403 && present !== undefined) {
    log(
      'warning',
      `index template ${name} ${current ? 'lacks declared fields' : 'is older than this steptap'} and may not be replaced: new fields are not indexed`,
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

type Template = Readonly<Record<string, unknown>>;

/** A template that is there; undefined when there is none. */
export async function presentTemplate(
  http: SearchHttp,
  name: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Template | undefined> {
  const path = templatePath(name);
  const asked = await http.request({ method: 'GET', path }, signal);
  if (asked.status === 200) return templateOf(asked);
  if (asked.status === 404) return undefined;
  throw wholeFailure(asked, `GET ${path}`, name, clock);
}

/** The template in the answer. */
function templateOf(answer: Answer): Template {
  const list = jsonOf(answer)?.['index_templates'];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  if (typeof first !== 'object' || first === null || !('index_template' in first)) return {};
  const { index_template: template } = first;
  return typeof template === 'object' && template !== null ? (template as Template) : {};
}

/** Its `version`; 0 when it has none. */
export function versionOf({ version }: Template): number {
  return typeof version === 'number' ? version : 0;
}

import { fieldsOf, IDENTITY, PHASES, type EventTable, type Field, type SearchType } from '../../fields.ts';
import { unindexedName } from './unindexed.ts';

/** Raised with every change of what `indexTemplate` gives: a newer steptap then replaces the template of an older one. */
export const TEMPLATE_VERSION = 2;

/** Above the `logs-*-*` of the products (100), below what an operator would choose to override ours. */
const PRIORITY = 250;

export type Flavour = 'elasticsearch' | 'opensearch';

export interface TemplateOptions {
  readonly prefix: string;
  readonly flavour: Flavour;
  readonly shards?: number | undefined;
  readonly replicas?: number | undefined;
  /** Fields that a pipeline declares. */
  readonly declared?: readonly Field[] | undefined;
}

/** A keyword of more than 32,766 bytes rejects its document; 8,191 characters of 4 bytes are within that. */
const LONGEST_KEYWORD = 8_191;

type Mapping = Readonly<Record<string, unknown>>;

/**
 * How a field is indexed, chosen so that no value that a dialect writes rejects its row: what does not fit the index stays in
 * `_source`, and the name of the field is then found in `_ignored`. For objects that is not enough: see unindexed.ts.
 */
function mappingOf(search: SearchType, flavour: Flavour): Mapping {
  const double = { type: 'double', ignore_malformed: true };
  const mappings: Readonly<Record<SearchType, Mapping>> = {
    keyword: { type: 'keyword', ignore_above: LONGEST_KEYWORD },
    date_nanos: { type: 'date_nanos', ignore_malformed: true },
    double,
    integer: { type: 'integer', ignore_malformed: true },
    long: { type: 'long', ignore_malformed: true },
    text: { type: 'text', norms: false },
    boolean: { type: 'boolean' },
    phases: { properties: Object.fromEntries(PHASES.map((name) => [name, double])) },
    stored: { type: 'object', enabled: false },
    object: flavour === 'opensearch' ? { type: 'flat_object' } : { type: 'flattened', ignore_above: LONGEST_KEYWORD },
  };
  return mappings[search];
}

/** Name of the index template of a table. */
export function templateName(prefix: string, table: EventTable): string {
  return `${prefix}-${table}`;
}

/** Name of the index for rows of a table; `day` is their record's `_day`, of tasks their own `task_day`: `YYYY-MM-DD`. */
export function indexName(prefix: string, table: string, day: string): string {
  return `${prefix}-${table}-${day.replaceAll('-', '.')}`;
}

/** Body of `PUT _index_template/<templateName>`. Fields that it does not name are kept and not indexed. */
export function indexTemplate(table: EventTable, options: TemplateOptions): Mapping {
  const { prefix, flavour, shards, replicas, declared = [] } = options;
  const properties: Record<string, Mapping> = { '@timestamp': mappingOf('date_nanos', flavour) };
  for (const { name, search } of fieldsOf(table, declared)) {
    properties[name] = mappingOf(search, flavour);
    if (search === 'object') properties[unindexedName(name)] = { type: 'object', enabled: false };
  }
  // The day is in the name of the index.
  for (const { name, search } of IDENTITY) if (name !== '_day') properties[name] = mappingOf(search, flavour);
  const settings: Record<string, number> = roomFor(properties);
  if (shards !== undefined) settings['index.number_of_shards'] = shards;
  if (replicas !== undefined) settings['index.number_of_replicas'] = replicas;
  return {
    index_patterns: [`${prefix}-${table}-*`],
    priority: PRIORITY,
    version: TEMPLATE_VERSION,
    _meta: {
      description: 'made by steptap, which replaces it when it has a newer one',
      managed_by: 'steptap',
      ...aboutDeclared(table, declared),
    },
    template: { settings, mappings: { dynamic: false, properties } },
  };
}

/** An index has 1,000 fields at most unless it is told otherwise, and a template of more is refused. */
function roomFor(properties: Mapping): Record<string, number> {
  const fields = Object.keys(properties).length;
  return fields > 900 ? { [LIMIT]: fields + 1_000 } : {};
}

const LIMIT = 'index.mapping.total_fields.limit';

/** The settings as the cluster gives them, with room for the fields; a limit of the operator's own stays. */
function withRoom(settings: Mapping, properties: Mapping): Mapping {
  const flat = new Map<string, unknown>();
  const flatten = (of: Mapping, path: string): void => {
    for (const [name, value] of Object.entries(of)) {
      const object = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (object) flatten(value as Mapping, `${path}${name}.`);
      else flat.set(path + name, value);
    }
  };
  flatten(settings, '');
  const room = roomFor(properties)[LIMIT];
  if (room === undefined || Number(flat.get(LIMIT)) >= room - 1_000) return settings;
  return Object.fromEntries([...flat, [LIMIT, room]]);
}

/** What the declared fields mean, for whoever looks at the template. */
function aboutDeclared(table: EventTable, declared: readonly Field[]): Mapping {
  const meanings = declared.filter(({ tables }) => tables.includes(table)).map(({ name, meaning }) => [name, meaning]);
  return meanings.length === 0 ? {} : { declared: Object.fromEntries(meanings) as Mapping };
}

/** A template as it stands in the cluster, which lacks nothing but fields that a pipeline declares: the same with them. Undefined when it lacks none. */
export function withDeclared(
  present: Mapping,
  table: EventTable,
  flavour: Flavour,
  declared: readonly Field[],
): Mapping | undefined {
  const { template, _meta, ...rest } = present as { readonly template?: Mapping; readonly _meta?: Mapping };
  const mappings = (template?.['mappings'] ?? {}) as Mapping;
  const properties = (mappings['properties'] ?? {}) as Mapping;
  const lacking = declared.filter(({ name, tables }) => tables.includes(table) && !(name in properties));
  if (lacking.length === 0) return undefined;
  const added = Object.fromEntries(lacking.map(({ name, search }) => [name, mappingOf(search, flavour)]));
  const all = { ...properties, ...added };
  const settings = withRoom((template?.['settings'] ?? {}) as Mapping, all);
  const about = aboutDeclared(table, lacking)['declared'] as Mapping;
  // What the cluster writes into it is refused in what it is given.
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !/^(created|modified)_date/.test(name)));
  return {
    ...own,
    _meta: { ..._meta, declared: { ...(_meta?.['declared'] as Mapping | undefined), ...about } },
    template: {
      ...template,
      ...(Object.keys(settings).length === 0 ? {} : { settings }),
      mappings: { ...mappings, properties: all },
    },
  };
}

import { eventOptions } from '../dialects/custom/schema.ts';
import { eventFieldOptions, eventTypeOptions } from '../event-types/schema.ts';
import { SINKS, SOURCES, type SinkType, type SourceType } from '../registry.ts';
import { dialectOptions, SECTIONS, sinkCommon, sourceSchema, type ObjectSchema } from './schema.ts';

/** What helps to explain an option. */
interface Option {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly items?: Option;
  readonly properties?: Readonly<Record<string, Option>>;
}

/** The components and sections of a pipeline, by where they stand in it (`sinks.clickhouse`), in the order of a pipeline. */
export function optionSchemas(): Map<string, ObjectSchema> {
  const { enrichment, privacy, state, limits, tasks } = SECTIONS;
  const named = (where: string, schemas: Readonly<Record<string, ObjectSchema>>): [string, ObjectSchema][] =>
    Object.entries(schemas).map(([name, schema]) => [`${where}.${name}`, schema]);
  const sources = Object.fromEntries((Object.keys(SOURCES) as SourceType[]).map((type) => [type, sourceSchema(type)]));
  const sinks: Readonly<Record<SinkType, ObjectSchema>> = SINKS;
  return new Map([
    ...named('sources', sources),
    ...named('dialects', dialectOptions),
    ['events.*', eventOptions],
    ['event_types.*', eventTypeOptions],
    ['event_types.*.fields.*', eventFieldOptions],
    ['enrichment', enrichment],
    ['enrichment.kubernetes', enrichment.properties.kubernetes],
    ['privacy', privacy],
    ...named('sinks', sinks),
    ['sinks.*', { type: 'object', description: 'Of every sink but `prometheus`.', properties: sinkCommon }],
    ['state', state],
    ['limits', limits],
    ['tasks', tasks],
  ]);
}

/** Markdown: what the component is, and a table of its options. */
export function optionTable({ description, required = [], properties }: ObjectSchema): string {
  const rows = Object.entries(properties as Readonly<Record<string, Option>>).map(([name, option]) => {
    const fallback = required.includes(name) ? 'required' : option.default === undefined ? '' : code(option.default);
    return [code(name), typeOf(option), fallback, meaning(option)];
  });
  if (rows.length === 0) return description;
  const lines = [['option', 'type', 'default', 'meaning'], ['---', '---', '---', '---'], ...rows];
  return [description, '', ...lines.map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  boolean: 'true or false',
  array: 'list',
  object: 'mapping',
};

function typeOf({ type = 'string', enum: choices, items }: Option): string {
  if (choices !== undefined) return choices.map(code).join(', ');
  const names = [type].flat().map((each) => {
    if (each !== 'array' || items === undefined) return TYPES[each] ?? each;
    return `list of ${typeOf(items)}${items.enum === undefined ? 's' : ''}`;
  });
  return names.join(' or ');
}

function meaning({ description = '', properties, examples = [] }: Option): string {
  const within = Object.keys(properties ?? {}).map(code);
  const parts = [description];
  if (within.length > 0) parts.push(`They are ${within.join(', ')}.`);
  if (examples.length > 0) parts.push(`For example ${examples.map(code).join(', ')}.`);
  return parts.join(' ').replaceAll('|', '\\|');
}

/** As it is written in YAML. */
function code(value: unknown): string {
  return `\`${typeof value === 'string' && value !== '' ? value : JSON.stringify(value)}\``;
}

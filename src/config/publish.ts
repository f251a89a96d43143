import { eventOptions } from '../dialects/custom/schema.ts';
import { eventTypeOptions, unknownEventsOption } from '../event-types/schema.ts';
import { testFileOptions } from '../pipeline-tests/schema.ts';
import { SINKS, SOURCES, type SinkType, type SourceType } from '../registry.ts';
import { NAME } from './check.ts';
import { dialectOptions, SECTIONS, sinkSchema, sourceSchema, type ObjectSchema } from './schema.ts';

type Schema = Readonly<Record<string, unknown>>;

const DRAFT = 'http://json-schema.org/draft-07/schema#';

/** A text with a placeholder stands for anything: what it becomes is known where the pipeline runs. */
const PLACEHOLDER: Schema = { type: 'string', pattern: '\\$\\{(env|file):[^}]+\\}' };

/**
 * JSON Schema (draft-07) of a pipeline, for editors: what `check` takes it takes, with two exceptions that only a run can tell: what a placeholder becomes, and
 * what several options mean together. It is of a whole pipeline; of a file that adds to another what is required may be missing.
 */
export function pipelineSchema(): Schema {
  const dialects = Object.entries(dialectOptions).map(([name, schema]): [string, Schema] => [name, section(schema)]);
  const sources = Object.keys(SOURCES) as SourceType[];
  const sinks = Object.keys(SINKS) as SinkType[];
  return {
    $schema: DRAFT,
    title: 'A pipeline of steptap',
    type: ['object', 'null'],
    additionalProperties: false,
    properties: {
      sources: components('source', 'Where lines come from, by a name of your own.', sources),
      dialects: {
        ...named('Ways of writing lines, and what becomes of them.'),
        additionalProperties: false,
        properties: Object.fromEntries(dialects),
      },
      events: {
        ...named('Lines of JSON that your own code writes, by a name of your own.'),
        additionalProperties: published(eventOptions),
      },
      event_types: {
        ...named('Types of events, by their names: what their lines hold, and what becomes of it.'),
        additionalProperties: section(eventTypeOptions),
      },
      unknown_events: published(unknownEventsOption),
      sinks: components('sink', 'Where rows go, by a name of your own.', sinks),
      ...Object.fromEntries(Object.entries(SECTIONS).map(([name, schema]) => [name, section(schema)])),
    },
    definitions: Object.fromEntries([
      ...sources.map((type) => [`source-${type}`, component(type, sourceSchema(type))]),
      ...sinks.map((type) => [`sink-${type}`, component(type, sinkSchema(type))]),
    ]),
  };
}

/** JSON Schema (draft-07) of a file of tests. */
export function testSchema(): Schema {
  return { $schema: DRAFT, title: 'Tests of a pipeline of steptap', ...testFileOptions };
}

/** An empty section says nothing, as in YAML it is `null`. */
function named(description: string): Schema {
  return { description, type: ['object', 'null'] };
}

function section(schema: object): Schema {
  return { ...published(schema), type: ['object', 'null'] };
}

/**
 * `name: {type, ...options}`: each type has its own options, and a name that is a type needs none. Conditions rather than alternatives, so that an editor says
 * what is wrong with the one that is meant.
 */
function components(what: string, description: string, types: readonly string[]): Schema {
  const type = { enum: types, description: `What it is. A ${what} whose name is a type needs none.` };
  const options = (each: string): Schema => ({ $ref: `#/definitions/${what}-${each}` });
  const chosen = types.map((each) => ({
    if: { type: 'object', required: ['type'], properties: { type: { const: each } } },
    then: options(each),
  }));
  const own = types.map((each): [string, Schema] => [
    each,
    {
      type: ['object', 'null'],
      properties: { type: { ...type, default: each } },
      if: { type: 'object', required: ['type'] },
      then: { allOf: chosen },
      else: options(each),
    },
  ]);
  return {
    ...named(description),
    propertyNames: { pattern: NAME.source },
    properties: Object.fromEntries(own),
    additionalProperties: { type: 'object', required: ['type'], properties: { type }, allOf: chosen },
  };
}

/** Where nothing is required, nothing need be said. */
function component(type: string, schema: ObjectSchema): Schema {
  const { properties, ...rest } = published(schema) as { properties: Schema };
  return {
    ...rest,
    type: schema.required === undefined ? ['object', 'null'] : 'object',
    properties: { type: { const: type }, ...properties },
  };
}

/** The schema of options, in which every value but a list or a mapping may also come out of a placeholder. */
function published(schema: object): Schema {
  const { description, default: fallback, examples, writeOnly, ...rest } = schema as Schema;
  const wanted = { ...rest };
  for (const name of ['items', 'additionalProperties']) {
    if (typeof wanted[name] === 'object') wanted[name] = published(wanted[name] as object);
  }
  if (wanted['properties'] !== undefined) {
    const all = Object.entries(wanted['properties'] as object).map(([name, each]) => [name, published(each as object)]);
    wanted['properties'] = Object.fromEntries(all);
  }
  const told = Object.entries({ description, default: fallback, examples, writeOnly });
  const about = Object.fromEntries(told.filter(([, value]) => value !== undefined));
  return takesAnyText(wanted) ? { ...about, ...wanted } : { ...about, anyOf: [wanted, PLACEHOLDER] };
}

/** True also for lists and mappings: they cannot come out of a placeholder. */
function takesAnyText({ type, enum: choices, pattern, minLength = 0, maxLength }: Schema): boolean {
  if (choices !== undefined || pattern !== undefined || maxLength !== undefined || Number(minLength) > 1) return false;
  return [type].flat().some((each) => each === 'string' || each === 'object' || each === 'array');
}

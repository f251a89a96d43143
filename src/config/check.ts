import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Ajv, ValidateFunction } from 'ajv';
import {
  compileEvents,
  EventError,
  eventOptions,
  type CustomEvents,
  type EventOptions,
} from '../dialects/custom/index.ts';
import { compileEventTypes, type EventTypes } from '../event-types/index.ts';
import { eventTypeOptions, unknownEventsOption, type EventTypeOptions, type Unknown } from '../event-types/schema.ts';
import { SINKS, SOURCES, type SinkType, type SourceType } from '../registry.ts';
import { isMapping, type Path, type Problem } from './document.ts';
import { problemsOf, shown } from './explain.ts';
import { dialectOptions, SECTIONS, sinkSchema, sourceSchema, type PipelineConfig } from './schema.ts';
import { didYouMean } from './suggest.ts';

/** The keys of a pipeline, in the order of its data. */
export const KEYS = [
  'sources',
  'dialects',
  'events',
  'event_types',
  'unknown_events',
  'enrichment',
  'privacy',
  'sinks',
  'state',
  'limits',
  'tasks',
] as const;

/** In names of lanes, of their files, and of labels. */
export const NAME = /^[a-z][a-z0-9_-]{0,40}$/;

/** Stands for an event type whose options its schema does not take. */
const UNREADABLE: EventTypeOptions = {};

let ajv: Ajv | undefined;
const compiled = new WeakMap<object, ValidateFunction>();

/**
 * Checks what the files say against the schemas of its components, and gives every source and sink its type. `filled`: the value came out of a placeholder, and so is
 * text: it becomes the number that its option wants.
 */
export function check(
  given: unknown,
  filled: (path: Path) => boolean,
): Pick<Checking, 'problems' | 'events' | 'types'> & { config: PipelineConfig } {
  const checking = new Checking(filled);
  const config = checking.pipeline(given);
  return { config, problems: checking.problems, events: checking.events, types: checking.types };
}

class Checking {
  readonly problems: Problem[] = [];
  /** Those of the pipeline, compiled. */
  events: CustomEvents | undefined;
  types: EventTypes | undefined;
  readonly #filled: (path: Path) => boolean;

  constructor(filled: (path: Path) => boolean) {
    this.#filled = filled;
  }

  pipeline(given: unknown): PipelineConfig {
    if (!isMapping(given)) {
      this.problems.push({ path: [], message: `a pipeline is a mapping of ${KEYS.join(', ')}` });
      return {};
    }
    for (const name of Object.keys(given)) {
      if (KEYS.some((key) => key === name)) continue;
      this.problems.push({ path: [name], message: `there is no such section${didYouMean(name, KEYS)}`, name: true });
    }
    const config: Record<string, unknown> = {};
    for (const [name, schema] of Object.entries(SECTIONS)) {
      if (given[name] !== undefined) config[name] = this.#fits(schema, given[name] ?? {}, [name]);
    }
    if (given['dialects'] !== undefined) config['dialects'] = this.#dialects(given['dialects']);
    if (given['sources'] !== undefined) {
      config['sources'] = this.#components('source', given['sources'], Object.keys(SOURCES), (type) =>
        sourceSchema(type as SourceType),
      );
      this.#whole(config['sources'] as PipelineConfig['sources']);
    }
    if (given['sinks'] !== undefined) {
      config['sinks'] = this.#components('sink', given['sinks'], Object.keys(SINKS), (type) =>
        sinkSchema(type as SinkType),
      );
      this.#apart(config['sinks'] as PipelineConfig['sinks']);
    }
    if (given['events'] !== undefined) config['events'] = this.#events(given['events']);
    if (given['unknown_events'] !== undefined) {
      config['unknown_events'] = this.#fits(unknownEventsOption, given['unknown_events'], ['unknown_events']);
    }
    const types = given['event_types'] === undefined ? undefined : this.#eventTypes(given['event_types']);
    if (types !== undefined) config['event_types'] = types;
    if (types !== undefined || config['unknown_events'] !== undefined) {
      this.#compileTypes(types ?? {}, config['unknown_events'] as Unknown | undefined);
    }
    return config;
  }

  /** What a schema can say of them, and then what only compiling them can. */
  #events(given: unknown): unknown {
    if (!this.#isMapping(given, ['events'])) return {};
    const before = this.problems.length;
    const config: Record<string, EventOptions> = {};
    for (const [name, value] of Object.entries(given)) {
      if (name === '__proto__') this.problems.push({ path: ['events', name], message: 'is no name', name: true });
      else config[name] = this.#fits(eventOptions, value ?? {}, ['events', name]) as EventOptions;
    }
    if (this.problems.length > before) return config;
    try {
      this.events = compileEvents(config);
    } catch (error) {
      if (!(error instanceof EventError)) throw error;
      this.problems.push({ path: ['events', ...error.path], message: error.message });
    }
    return config;
  }

  /** Those that their schema takes. */
  #eventTypes(given: unknown): Record<string, EventTypeOptions> {
    const config: Record<string, EventTypeOptions> = {};
    if (!this.#isMapping(given, ['event_types'])) return config;
    for (const [name, value] of Object.entries(given)) {
      const before = this.problems.length;
      const fitted = this.#fits(eventTypeOptions, value ?? {}, ['event_types', name]) as EventTypeOptions;
      config[name] = this.problems.length === before ? fitted : UNREADABLE;
    }
    return config;
  }

  #compileTypes(given: Readonly<Record<string, EventTypeOptions>>, unknown: Unknown | undefined): void {
    const { types, problems } = compileEventTypes(given, unknown);
    this.types = types;
    // What follows from a type that its schema does not take need not be said as well.
    if (Object.values(given).includes(UNREADABLE)) return;
    for (const { path, ...problem } of problems) this.problems.push({ ...problem, path: ['event_types', ...path] });
  }

  /** What is handed over has a beginning and an end. */
  #whole(sources: PipelineConfig['sources'] = {}): void {
    for (const [name, source] of Object.entries(sources)) {
      if (source.type !== 'file' || source.once !== true) continue;
      for (const other of ['follow', 'from_start'] as const) {
        if (source[other] !== true) continue;
        this.problems.push({ path: ['sources', name, other], message: 'goes not with once: leave one of them out' });
      }
    }
  }

  /** Two that write the same files would each take the other's for its own. */
  #apart(sinks: PipelineConfig['sinks'] = {}): void {
    const taken = new Map<string, string>();
    for (const [name, sink] of Object.entries(sinks)) {
      if (sink.type !== 'files' || sink.directory === undefined) continue;
      const directory = resolve(sink.directory);
      const other = taken.get(directory);
      if (other !== undefined) {
        const message = `is the directory of sinks.${other}: give each its own`;
        this.problems.push({ path: ['sinks', name, 'directory'], message });
      }
      taken.set(directory, name);
    }
  }

  #dialects(given: unknown): unknown {
    if (!this.#isMapping(given, ['dialects'])) return {};
    const known = Object.keys(dialectOptions);
    const config: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(given)) {
      const schema = (dialectOptions as Readonly<Record<string, object>>)[name];
      const path = ['dialects', name];
      if (schema === undefined) {
        this.problems.push({ path, message: `there is no such dialect${didYouMean(name, known)}`, name: true });
      } else config[name] = this.#fits(schema, value ?? {}, path);
    }
    return config;
  }

  /** `name: {type, ...options}`, where a name that is a type needs none. */
  #components(
    what: 'source' | 'sink',
    given: unknown,
    known: readonly string[],
    schemaOf: (type: string) => object,
  ): unknown {
    const section = `${what}s`;
    if (!this.#isMapping(given, [section])) return {};
    const config: Record<string, unknown> = {};
    for (const [name, entry] of Object.entries(given)) {
      const path = [section, name];
      const { type = name, ...options } = isMapping(entry) ? entry : {};
      if (!NAME.test(name)) {
        this.problems.push({ path, message: 'is no name: write small letters, digits, - and _', name: true });
      } else if (entry !== null && !isMapping(entry)) {
        this.problems.push({ path, message: `must be a mapping of the options of a ${what}` });
      } else if (typeof type !== 'string' || !known.includes(type)) {
        const named = isMapping(entry) && 'type' in entry;
        const message = named
          ? `${shown(type)} is no type of ${what}${didYouMean(String(type), known)}`
          : `there is no such ${what}${didYouMean(name, known)} (another name needs a type)`;
        this.problems.push({ path: named ? [...path, 'type'] : path, message, name: !named });
      } else config[name] = { type, ...(this.#fits(schemaOf(type), options, path) as object) };
    }
    return config;
  }

  #isMapping(given: unknown, path: Path): given is Record<string, unknown> {
    if (given === null || isMapping(given)) return given !== null;
    this.problems.push({ path, message: 'must be a mapping of names to values' });
    return false;
  }

  /** The value, as its schema wants it; what is wrong is noted. */
  #fits(schema: object, value: unknown, at: Path): unknown {
    const validate = validatorOf(schema);
    const copy = structuredClone(value);
    while (!validate(copy) && this.#converted(copy, validate.errors ?? [], at));
    this.problems.push(...problemsOf(validate.errors ?? [], at, this.#filled));
    return copy;
  }

  /** Text out of placeholders becomes the number, or the true or false, that its option wants. True when something changed. */
  #converted(value: unknown, errors: NonNullable<ValidateFunction['errors']>, at: Path): boolean {
    let changed = false;
    for (const { keyword, params, instancePath, data } of errors) {
      if (keyword !== 'type' || typeof data !== 'string') continue;
      const path = instancePath.split('/').slice(1);
      if (!this.#filled([...at, ...path])) continue;
      const wanted = String(params['type']).split(',');
      const number = wanted.includes('number') || wanted.includes('integer') ? Number(data) : Number.NaN;
      const plain = Number.isNaN(number) || data.trim() === '' ? undefined : number;
      const truth = wanted.includes('boolean') ? { true: true, false: false }[data] : undefined;
      const meant = plain ?? truth;
      if (meant === undefined) continue;
      const last = path.pop()!;
      let holder = value as Record<string, unknown>;
      for (const part of path) holder = holder[part] as Record<string, unknown>;
      holder[last] = meant;
      changed = true;
    }
    return changed;
  }
}

/** Compiled once; it finds all that is wrong. */
export function validatorOf(schema: object): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    if (ajv === undefined) {
      const loaded = createRequire(import.meta.url)('ajv') as { Ajv: typeof Ajv };
      ajv = new loaded.Ajv({ allErrors: true, verbose: true, strict: true, allowUnionTypes: true });
    }
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  return validate;
}

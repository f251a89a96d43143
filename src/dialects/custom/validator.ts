import { createRequire } from 'node:module';
import type { Ajv, ErrorObject } from 'ajv';
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { EventError } from './event-error.ts';
import { FORMATS } from './formats.ts';

/** Why an object does not fit, without its values; undefined when it does. */
export type Validate = (value: Record<string, unknown>) => string | undefined;

type Path = readonly (string | number)[];
type Schema = Readonly<Record<string, unknown>>;

/** Keywords whose value is a schema, a list of schemas, or schemas by name. Others hold none: a `const` may look like one. */
const ONE = new Set(
  'additionalItems additionalProperties contains else if items not propertyNames then unevaluatedItems unevaluatedProperties'.split(
    ' ',
  ),
);
const LIST = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']);
const NAMED = new Set(['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties']);

const DRAFTS = /^https?:\/\/json-schema\.org\/(?:draft\/(2020-12)|draft-(0?7))\/schema#?$/;
/** Each is compared with all before it. */
const MOST_UNIQUE = 1_000;
const LONGEST_DETAIL = 300;

let ajv2020: Ajv2020 | undefined;
let ajv7: Ajv | undefined;

/** Loading takes 100 ms, and most users have no schema of their own. */
function ajvOf(draft: '2020-12' | '7'): Ajv | Ajv2020 {
  const options = {
    allErrors: false,
    ownProperties: true,
    strictSchema: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    logger: false,
    formats: FORMATS,
  } as const;
  const require = createRequire(import.meta.url);
  if (draft === '7') {
    const loaded = require('ajv') as { Ajv: typeof Ajv };
    return (ajv7 ??= new loaded.Ajv(options));
  }
  const loaded = require('ajv/dist/2020.js') as { Ajv2020: typeof Ajv2020 };
  return (ajv2020 ??= new loaded.Ajv2020(options));
}

/** Throws an EventError for what is no JSON Schema, or has a keyword or a format that would be passed over. `path`: where it stands. */
export function compileSchema(schema: Schema, path: Path): Validate {
  const ajv = ajvOf(draftOf(schema, path));
  const names = new Set<string>();
  check(schema, path, ajv, names);
  if (ajv.validateSchema(schema) !== true) {
    const [error] = ajv.errors ?? [];
    const where = pointer(error?.instancePath ?? '');
    throw new EventError([...path, ...where], `is no valid JSON Schema: ${error?.message ?? 'unknown error'}`);
  }
  try {
    const validate = ajv.compile(schema);
    return (value) => {
      try {
        return validate(value) ? undefined : problem(value, validate.errors ?? [], names);
      } catch (error) {
        // A schema that refers to itself goes as deep as the line does.
        if (error instanceof RangeError) return 'is nested too deep for its schema';
        throw error;
      }
    };
  } catch (error) {
    throw new EventError(path, `is no valid JSON Schema: ${(error as Error).message}`);
  } finally {
    // Two events may give theirs the same `$id`.
    ajv.removeSchema(schema);
  }
}

function draftOf({ $schema }: Schema, path: Path): '2020-12' | '7' {
  if ($schema === undefined) return '2020-12';
  const [, newer, older] = (typeof $schema === 'string' ? DRAFTS.exec($schema) : undefined) ?? [];
  if (newer !== undefined) return '2020-12';
  if (older !== undefined) return '7';
  throw new EventError(
    [...path, '$schema'],
    'is not known: leave it out for draft 2020-12, or give http://json-schema.org/draft-07/schema#',
  );
}

/** What ajv would say without saying where, or not at all. `names` collects those of properties. */
function check(schema: unknown, path: Path, ajv: Ajv | Ajv2020, names: Set<string>): void {
  // The metaschema says more of it.
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return;
  const { format, uniqueItems, maxItems } = schema as Schema;
  if (typeof format === 'string' && !Object.hasOwn(FORMATS, format)) {
    const known = Object.keys(FORMATS).join(', ');
    throw new EventError([...path, 'format'], `the format ${format} is not checked here, only ${known}; use a pattern`);
  }
  if (uniqueItems === true && !(typeof maxItems === 'number' && maxItems <= MOST_UNIQUE)) {
    throw new EventError([...path, 'uniqueItems'], `needs maxItems of at most ${MOST_UNIQUE} beside it`);
  }
  for (const [keyword, value] of Object.entries(schema)) {
    const at = [...path, keyword];
    // With `$async` ajv would answer later.
    if (ajv.RULES.keywords[keyword] !== true || keyword === '$async') {
      throw new EventError(at, 'is no keyword of JSON Schema');
    }
    if (keyword === 'pattern') checkPattern(value, at);
    if (typeof value !== 'object' || value === null) continue;
    if (ONE.has(keyword) && !Array.isArray(value)) check(value, at, ajv, names);
    else if (LIST.has(keyword) && Array.isArray(value)) value.forEach((each, n) => check(each, [...at, n], ajv, names));
    else if (NAMED.has(keyword)) {
      for (const [name, each] of Object.entries(value)) {
        if (keyword === 'properties') names.add(name);
        if (keyword === 'patternProperties') checkPattern(name, [...at, name]);
        check(each, [...at, name], ajv, names);
      }
    }
  }
}

function checkPattern(pattern: unknown, path: Path): void {
  if (typeof pattern !== 'string') return;
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    throw new EventError(path, `is no regular expression: ${(error as Error).message}`);
  }
  if (NESTED.test(pattern)) {
    throw new EventError(path, 'repeats what repeats, as in (a+)+: a hostile line could hold the process for hours');
  }
}

/** A group of nothing but what is repeated without end, repeated so itself: each more letter doubles the ways in which it fits. Others may be slow, too. */
const NESTED = /\((?:\?:)?\(*(?:\?:)?(?:\[(?:[^\]\\]|\\.)*\]|\\.|[^()[\]\\])(?:[+*]|\{\d*,\})\)+(?:[+*]|\{\d*,\})/;

/** What is wrong, and at which property. Names that only the line has are not said: they may be anybody's. */
function problem(line: unknown, errors: readonly ErrorObject[], names: ReadonlySet<string>): string {
  const last = errors.at(-1);
  // Of several alternatives each has said why not; that none fits is said last.
  const error = last?.keyword === 'anyOf' || last?.keyword === 'oneOf' ? last : errors[0];
  if (error === undefined) return 'does not fit the schema';
  let holder: unknown = line;
  const where = pointer(error.instancePath).map((part) => {
    // A number may be a key, too: somebody's.
    const said = Array.isArray(holder) || names.has(String(part)) ? part : '*';
    holder = (holder as Readonly<Record<string, unknown>> | undefined)?.[part];
    return said;
  });
  const { allowedValues, allowedValue } = error.params as {
    allowedValues?: readonly unknown[];
    allowedValue?: unknown;
  };
  const allowed = allowedValues ?? (allowedValue === undefined ? undefined : [allowedValue]);
  const list = allowed === undefined ? '' : `: ${allowed.map((each) => JSON.stringify(each)).join(', ')}`;
  const text = `${where.length === 0 ? 'the line' : where.join('.')} ${error.message ?? 'is wrong'}${list}`;
  return text.length <= LONGEST_DETAIL ? text : `${text.slice(0, LONGEST_DETAIL)}...`;
}

/** A JSON pointer as a path; indexes as numbers. */
function pointer(text: string): (string | number)[] {
  if (text === '') return [];
  return text
    .slice(1)
    .split('/')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}

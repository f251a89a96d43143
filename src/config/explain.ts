import type { ErrorObject } from 'ajv';
import type { Path, Problem } from './document.ts';
import { didYouMean } from './suggest.ts';

/** What of a schema helps to say what is wrong. */
interface Hints {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly examples?: readonly unknown[];
  readonly writeOnly?: boolean;
  readonly items?: Hints;
  readonly pattern?: string;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of names to values',
  null: 'nothing',
};

/**
 * What ajv found, in words; each option once, with the first that is wrong of it. `secret`: what stands at the path came from somewhere else, and may not be
 * repeated.
 */
export function problemsOf(errors: readonly ErrorObject[], at: Path, secret: (path: Path) => boolean): Problem[] {
  const problems = new Map<string, Problem>();
  for (const error of errors) {
    const problem = problemOf(error, at, secret);
    const key = problem === undefined ? '' : problem.path.join('\n');
    if (problem !== undefined && !problems.has(key)) problems.set(key, problem);
  }
  return [...problems.values()];
}

function problemOf(error: ErrorObject, at: Path, secret: (path: Path) => boolean): Problem | undefined {
  const { keyword, instancePath, params, parentSchema, data } = error;
  const path = [...at, ...pointer(instancePath)];
  const hints = (parentSchema ?? {}) as Hints;
  const given = hints.writeOnly === true || secret(path) ? 'what it says' : shown(data);
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty']);
      const known = Object.keys(hints.properties ?? {});
      return { path: [...path, name], message: `there is no such option${didYouMean(name, known)}`, name: true };
    }
    case 'required':
      return { path, message: `${params['missingProperty']} is missing` };
    case 'type':
      return {
        path,
        message: `must be ${types(params['type'])}, and is ${kindOf(data)}${quoting(params['type'], data)}`,
      };
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).map(String);
      const near = typeof data === 'string' ? didYouMean(data, allowed) : `; there are ${allowed.join(', ')}`;
      return { path, message: `${given} is no choice${near}` };
    }
    case 'const':
      return { path, message: `must be ${JSON.stringify(params['allowedValue'])}` };
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return { path, message: `${given} is out of range: must be ${params['comparison']} ${params['limit']}` };
    case 'minLength':
      return params['limit'] === 1
        ? { path, message: 'is empty' }
        : { path, message: `is too short: give at least ${params['limit']} characters` };
    case 'maxLength':
      return { path, message: `is too long: give at most ${params['limit']} characters` };
    case 'minItems':
      return {
        path,
        message: params['limit'] === 1 ? 'is an empty list' : `needs at least ${params['limit']} entries`,
      };
    case 'maxItems':
      return { path, message: `has more than ${params['limit']} entries` };
    case 'minProperties':
      return { path, message: 'is empty' };
    case 'uniqueItems':
      return { path, message: 'names something twice' };
    case 'pattern':
      return { path, message: `${given} is not of the right form${example(hints)}` };
    case 'propertyNames':
    case 'if':
      return undefined;
    default:
      return { path, message: `is not as it must be${example(hints)}` };
  }
}

function pointer(text: string): (string | number)[] {
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function types(named: unknown): string {
  const all = (Array.isArray(named) ? named : String(named).split(',')).map((name) => TYPES[name] ?? String(name));
  return all.length === 1 ? all[0]! : `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`;
}

function kindOf(data: unknown): string {
  if (data === null || data === undefined) return 'empty';
  if (Array.isArray(data)) return 'a list';
  return typeof data === 'object' ? 'a mapping' : (TYPES[typeof data] ?? typeof data);
}

/** YAML reads `1.10` as a number and `no` as text: who meant the other is told. */
function quoting(wanted: unknown, data: unknown): string {
  const scalar = typeof data === 'number' || typeof data === 'boolean';
  return wanted === 'string' && scalar ? ': put it in quotes' : '';
}

/** An address may have a password in it, with any character, and without `https://`; or a key behind its `?`. */
export function shown(data: unknown): string {
  const text = (JSON.stringify(data) ?? 'nothing')
    .replace(/^("(?:[a-z][a-z0-9+.-]*:\/\/)?).*@/i, '$1***@')
    .replace(/\/\/[^/@]*@/g, '//***@')
    .replace(/\?[^"]*/, '?***');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function example({ examples, pattern }: Hints): string {
  if (examples !== undefined && examples.length > 0) {
    return `; write for example ${examples.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join(' or ')}`;
  }
  return pattern === undefined ? '' : `; it must match ${pattern}`;
}

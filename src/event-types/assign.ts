import { didYouMean } from '../config/suggest.ts';
import { UsageError } from '../errors.ts';
import { BASE, WRITER, wordOf } from './field.ts';
import type { EventType, TypedField } from './type.ts';
import { MEANT, readValue } from './value.ts';

/**
 * The fields of an event as somebody writes them on a command line, as JSON by name: `key=value` is read as the type says, and is text where nobody declares it; `key:=json`
 * stands as it is. Throws a UsageError for what is no field of the type, or not of its type.
 */
export function readAssignments(given: readonly string[], type: EventType | undefined): Map<string, string> {
  const fields = new Map<string, string>();
  for (const assignment of given) {
    const [, name, sign, value = ''] = /^([^:=]+)(:?=)(.*)$/s.exec(assignment) ?? [];
    if (name === undefined) throw new UsageError(`${assignment}: write key=value, or key:=json`);
    if (fields.has(name)) throw new UsageError(`${assignment}: ${name} is given twice`);
    const field = type?.fields.find((each) => each.name === name);
    if (field === undefined) refuse(name, type);
    const json = sign === ':=' ? jsonOf(value, assignment) : written(field, value);
    if (field !== undefined && (json === undefined || readValue(field.type, json) === undefined)) {
      throw new UsageError(`${assignment}: ${name} must be ${MEANT[field.type]}`);
    }
    fields.set(name, json ?? 'null');
  }
  const missing = type?.fields.find(({ name, required }) => required && !fields.has(name));
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing: ${type!.name} requires it`);
  return fields;
}

function refuse(name: string, type: EventType | undefined): void {
  if (BASE.has(name) || WRITER.has(name)) {
    throw new UsageError(`${name}: every event has that; use an option, or another name`);
  }
  if (type === undefined) return;
  const known = type.fields.map((field) => field.name);
  throw new UsageError(`${name}: there is no such field of ${type.name}${didYouMean(name, known)}`);
}

function jsonOf(value: string, assignment: string): string {
  if (value === 'NaN' || /^-?Infinity$/.test(value)) return value;
  try {
    JSON.parse(value);
    // Between its parts JSON may have newlines; a line has none.
    return value.trim().replace(/[\r\n]+/g, ' ');
  } catch {
    throw new UsageError(`${assignment}: what stands behind := must be JSON`);
  }
}

/** JSON of a value; undefined when it cannot be of the type. */
function written(field: TypedField | undefined, value: string): string | undefined {
  switch (field?.type) {
    case 'int':
      return /^[+-]?\d+$/.test(value) ? value.replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1') : undefined;
    case 'float':
      return floatText(value);
    case 'bool':
      return value === 'true' || value === 'false' ? value : undefined;
    default:
      return JSON.stringify(value);
  }
}

/** Also in Python's words. */
function floatText(value: string): string | undefined {
  const word = wordOf(value);
  if (word !== undefined) return String(word);
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
  if (Number.isNaN(number)) return undefined;
  return /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(value) ? value : String(number);
}

import type { Path } from '../config/document.ts';
import { didYouMean } from '../config/suggest.ts';
import { BASE as WRITTEN } from '../dialects/rhapsody/base.ts';
import { FIELD_TYPES, type EventFieldOptions, type FieldType } from './schema.ts';
import type { TypedField } from './type.ts';
import { MEANT, NOTHING, readValue } from './value.ts';

/** What every event has: `define_event` refuses them. */
export const BASE: ReadonlySet<string> = new Set(WRITTEN);
/** What the writer of the file puts over a field of that name, so that its value is lost. */
export const WRITER: ReadonlySet<string> = new Set(['trace_id', 'span_id', 'name', 'section']);

/** Of a field of which nothing else is said, as in Python. */
const BARE: Readonly<Record<FieldType, string>> = { int: '0', float: '0.0', str: '""', bool: 'false', any: 'null' };

type Wrong = (path: Path, message: string, name?: boolean) => void;

/** Undefined when it makes no sense: then it was said why. */
export function compileField(name: string, said: FieldType | EventFieldOptions, wrong: Wrong): TypedField | undefined {
  const options: EventFieldOptions = typeof said === 'string' ? { type: said } : said;
  const { type, required = false, description = '', unit = '', column = name } = options;
  if (!FIELD_TYPES.includes(type)) {
    wrong([], `${JSON.stringify(type)} is no type of a field${didYouMean(type, FIELD_TYPES)}`);
    return undefined;
  }
  const refused = refusal(name, column);
  if (refused !== undefined) {
    wrong([], refused, true);
    return undefined;
  }
  if (required && options.default !== undefined) wrong(['default'], 'stands beside required; leave one out');
  const given = options.default === undefined ? BARE[type] : jsonOf(type, options.default);
  const fallback = given === undefined ? undefined : readValue(type, given);
  if (fallback === undefined) wrong(['default'], `must be ${MEANT[type]}`);
  return { name, type, column, required, fallback: fallback ?? NOTHING, description, unit };
}

/** Why no field can be called so. */
function refusal(name: string, column: string): string | undefined {
  if (BASE.has(name)) return 'is a field of every event already: give it another name';
  if (WRITER.has(name)) return 'is overwritten by the writer of the line: give it another name';
  if (!/^[A-Za-z_]\w{0,63}$/.test(name)) return 'is no name of a field: use letters, digits and _';
  if (/^[A-Za-z]\w{0,39}$/.test(column)) return undefined;
  return 'cannot name a column: give it one of letters, digits and _, as in `column: my_name`';
}

/** What YAML says, as the line would; of a float also `inf`, as Python says it. */
function jsonOf(type: FieldType, value: unknown): string | undefined {
  if (type === 'float') {
    const said = typeof value === 'string' ? wordOf(value) : value;
    return typeof said === 'number' ? String(said) : undefined;
  }
  return JSON.stringify(value);
}

const WORDS: Readonly<Record<string, number>> = { inf: Infinity, infinity: Infinity, nan: Number.NaN };

/** A number out of Python's words for what no digits can say; undefined for any other text. */
export function wordOf(text: string): number | undefined {
  const [, sign = '', word = ''] = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text) ?? [];
  const value = WORDS[word.toLowerCase()];
  return value === undefined || sign !== '-' ? value : -value;
}

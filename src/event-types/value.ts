import { encodeUtf8, quote } from '../bytes.ts';
import { parseLenient, stringText } from '../json.ts';
import type { FieldType } from './schema.ts';

/** A value of a declared field. */
export interface TypedValue {
  /** JSON as it stands in a row: a byte string; `''` for what is not there. */
  readonly json: string;
  /** For conditions. */
  readonly value: unknown;
}

export const NOTHING: TypedValue = { json: '', value: undefined };

/** In words, for who wrote another. */
export const MEANT: Readonly<Record<FieldType, string>> = {
  int: 'a whole number of 64 bits',
  float: 'a number',
  str: 'text',
  bool: 'true or false',
  any: 'JSON',
};

/** What no JSON can say, and Python writes all the same. In rows they are texts: the JSON mapping of protobuf, which ClickHouse reads as the numbers they are. */
const NOT_FINITE: ReadonlySet<string> = new Set(['Infinity', '-Infinity', 'NaN']);

/** Elasticsearch refuses a row with a number of more than 1,000 characters. */
const LONGEST_NUMBER = 64;
const LARGEST = 2n ** 63n - 1n;

/** A value as its line has it; undefined when it is of another type. Null is nothing, in any field. */
export function readValue(type: FieldType, json: string): TypedValue | undefined {
  if (json === 'null') return NOTHING;
  switch (type) {
    case 'int':
      return readInt(json);
    case 'float':
      return readFloat(json);
    case 'bool':
      return json === 'true' || json === 'false' ? { json, value: json === 'true' } : undefined;
    case 'str':
      return json.startsWith('"') ? textValue(stringText(json)) : undefined;
    default:
      return { json: quote(json), value: parseLenient(json) };
  }
}

/** Text that is empty is nothing. */
export function textValue(text: string): TypedValue {
  return { json: text === '' ? '' : quote(text), value: text };
}

/** Python's ints have no bound, the column has; `5.0` is 5. */
function readInt(json: string): TypedValue | undefined {
  if (!/^-?\d/.test(json)) return undefined;
  const value = Number(json);
  if (/^-?\d{1,19}$/.test(json)) {
    const exact = BigInt(json);
    return exact <= LARGEST && exact >= -LARGEST - 1n ? { json: String(exact), value } : undefined;
  }
  return Number.isSafeInteger(value) ? { json: String(value), value } : undefined;
}

function readFloat(json: string): TypedValue | undefined {
  const word = json.startsWith('"') ? json.slice(1, -1) : json;
  if (NOT_FINITE.has(word)) return { json: `"${word}"`, value: Number(word) };
  if (!/^-?\d/.test(json)) return undefined;
  const value = Number(json);
  if (!Number.isFinite(value)) return { json: `"${value}"`, value };
  return { json: json.length > LONGEST_NUMBER ? String(value) : encodeUtf8(json), value };
}

import type { Path, Problem } from '../config/document.ts';
import { didYouMean } from '../config/suggest.ts';
import type { EventTypeOptions } from './schema.ts';
import type { EventHistogram, EventType, TypedField } from './type.ts';

type Options = NonNullable<EventTypeOptions['histogram']>;

/** Columns that every event may have, with few values. */
const COMMON = ['project', 'domain', 'workflow', 'task', 'backend'];

/** Units as Prometheus spells them. */
const UNITS: Readonly<Record<string, string>> = { s: 'seconds', '%': 'percent', b: 'bytes' };

/** Undefined when it makes no sense: then it was said why. */
export function compileHistogram(
  { name: event, fields }: EventType,
  { field: named, buckets, labels = [] }: Options,
  wrong: (path: Path, message: string) => void,
): EventHistogram | undefined {
  const numbers = fields.filter(({ type }) => type === 'int' || type === 'float').map(({ name }) => name);
  const field = fields.find(({ name }) => name === named);
  if (field === undefined) wrong(['field'], `there is no field ${named}${didYouMean(named, numbers)}`);
  else if (!numbers.includes(named)) wrong(['field'], `${named} is no number; give an int or a float`);
  const compiled = labels.flatMap((label, n): [string, string][] => {
    const column = columnOf(label, fields, (message) => wrong(['labels', n], message));
    return column === undefined ? [] : [[label, column]];
  });
  if (buckets?.some((bound, n) => n > 0 && bound <= buckets[n - 1]!) === true) {
    wrong(['buckets'], 'must be ascending, each larger than the last');
  }
  if (field === undefined) return undefined;
  const { base, unit } = metricName(field);
  if (buckets === undefined && unit !== 'seconds') {
    wrong([], `needs buckets: those of the steps are seconds, and ${named} is not`);
  }
  const help = `${field.name} of ${event}${unit === '' ? '' : `, in ${unit}`}. Label values without room are __other__.`;
  const name = `steptap_event_${snake(event)}_${base}${unit === '' ? '' : `_${unit}`}`;
  return { name, help, event, column: field.column, labels: compiled, ...(buckets === undefined ? {} : { buckets }) };
}

function columnOf(label: string, fields: readonly TypedField[], wrong: (message: string) => void): string | undefined {
  const field = fields.find(({ name }) => name === label);
  if (label === 'le') wrong('le is the bound of a bucket');
  else if (label.startsWith('__')) wrong(`${label}: names that begin with __ are Prometheus' own`);
  else if (field?.type === 'float' || field?.type === 'any')
    wrong(`${label} may have any value; give a str, int or bool`);
  else if (field !== undefined) return field.column;
  else if (COMMON.includes(label)) return label;
  else wrong(`there is no field ${label}${didYouMean(label, [...fields.map(({ name }) => name), ...COMMON])}`);
  return undefined;
}

/** `elapsed_s` is `elapsed`, in seconds. */
function metricName({ name, unit }: TypedField): { base: string; unit: string } {
  const own = /_(s|seconds|bytes|percent|ratio)$/.exec(name)?.[1] ?? '';
  const said = unit === '' ? own : unit;
  const base = own === '' ? name : name.slice(0, -own.length - 1);
  return { base: snake(base), unit: UNITS[said.toLowerCase()] ?? snake(said) };
}

/** `myframework.ModelCheckpoint`: `myframework_model_checkpoint`. */
function snake(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
}

/** Types whose histograms would have one name. */
export function sameNames(types: readonly EventType[]): Problem[] {
  const first = new Map<string, string>();
  return types.flatMap(({ name, histogram }) => {
    if (histogram === undefined) return [];
    const other = first.get(histogram.name);
    first.set(histogram.name, other ?? name);
    if (other === undefined) return [];
    return [{ path: [name, 'histogram'], message: `would be ${histogram.name}, as that of ${other} is; rename one` }];
  });
}

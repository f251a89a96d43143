import { members, valueText } from '../../json.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { Line } from '../dialect.ts';
import { TRANSPORT_KEYS } from '../flytekit/keys.ts';
import type { Times, When } from '../when.ts';
import type { CustomEvent } from './event.ts';
import { jsonAt, namesOf, type Key } from './key.ts';
import type { Column } from './schema.ts';
import { readValue, readWhen } from './values.ts';

/** What a line says. */
export interface Said {
  readonly when: When;
  /** By column: text, or the JSON of a number. What is text is as it was written: privacy is still to be applied. */
  readonly columns: Partial<Record<Column, string>>;
  /** As they are stored. */
  readonly attributes: Map<string, string>;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * Reads a line that matched. `value` is what parseObject made of `text`. `wrapped`: it is a transport's record, whose own keys are not the producer's. Gives
 * the reason, as text, why it is no such event.
 */
export function readEvent(
  event: CustomEvent,
  value: Record<string, unknown>,
  text: string,
  line: Line,
  times: Times,
  privacy: Privacy,
  wrapped: boolean,
): Said | string {
  const skip = wrapped ? new Set([...TRANSPORT_KEYS].filter((name) => !event.taken.has(name))) : NO_KEYS;
  const problem = event.validate?.(wrapped ? without(value, skip) : value);
  if (problem !== undefined) return problem;
  const raw = members(text);
  const columns: Partial<Record<Column, string>> = {};
  const left = new Set<string>();
  let when: When | undefined;
  for (const field of event.fields) {
    const { column, sort, key, unit } = field;
    if (key === undefined) {
      columns[column] = field.constant ?? '';
      continue;
    }
    const json = jsonAt(raw, key);
    if (json === undefined) continue;
    if (namesOf(key).some((name) => privacy.marks(name))) {
      // As in a log: a key that has a rule is an attribute, and treated as the rule says.
      left.add(key.name);
    } else if (sort === 'time') {
      when = readWhen(json, unit, line, times);
      // A time that cannot be read or stored stays an attribute, as it was written.
      if (when === undefined) left.add(key.name);
    } else {
      const filling = readValue(field, json, key.name);
      if ('problem' in filling) return filling.problem;
      columns[column] = filling.text;
    }
  }
  const untaken = (name: string): boolean => !skip.has(name) && (!event.taken.has(name) || left.has(name));
  const attributes = attributesOf(event, raw, untaken, privacy);
  return { when: when ?? times.ofNone(line.time), columns, attributes };
}

function attributesOf(
  { labels }: CustomEvent,
  raw: ReadonlyMap<string, string>,
  untaken: (name: string) => boolean,
  privacy: Privacy,
): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [name, json] of raw) {
    const text = untaken(name) ? valueText(json) : undefined;
    const told = text === undefined ? undefined : privacy.attribute(name, text);
    if (told === undefined) continue;
    // A label's name is the label's, whatever else the line has under it.
    attributes.set(labels.some(({ label }) => label === name) ? `${name}_original` : name, told.toWellFormed());
  }
  for (const { label, key } of labels) {
    const told = labelValue(raw, key, label, privacy);
    if (told !== undefined) attributes.set(label, told.toWellFormed());
  }
  return attributes;
}

/** What any rule for the key, for what it is in or for the label leaves of it. */
function labelValue(raw: ReadonlyMap<string, string>, key: Key, label: string, privacy: Privacy): string | undefined {
  const json = jsonAt(raw, key);
  let told = json === undefined ? undefined : valueText(json);
  for (const name of new Set([label, ...namesOf(key)])) {
    if (told !== undefined) told = privacy.keyed(name, told);
  }
  return told;
}

function without(value: Record<string, unknown>, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name)));
}

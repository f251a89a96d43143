import type { EventType, TypedField } from './type.ts';

/** What every event says, beside its own fields. */
export interface Base {
  readonly event_id: string;
  readonly event_type: string;
  /** Seconds since 1970, as text: a double cannot hold every microsecond in every year. */
  readonly event_time: string;
  readonly emit_time: string;
  readonly session_id: string;
  readonly backend: string;
  readonly task_id: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * One line of an event, as RHAPSODY writes it: its keys in its order, ASCII, with its separators. `fields`: JSON text by name, in any order; what a type declares and nobody
 * gives has its default, as in `define_event`.
 */
export function eventLine(base: Base, type: EventType | undefined, fields: ReadonlyMap<string, string>): string {
  const declared = (type?.fields ?? []).flatMap((field): [string, string][] =>
    fields.has(field.name) ? [] : [[field.name, defaultOf(field)]],
  );
  const all = new Map([...declared, ...fields]);
  const ordered = [...(type?.fields ?? []).map(({ name }) => name), ...fields.keys()];
  const members: [string, string][] = [
    ['event_id', text(base.event_id)],
    ['event_type', text(base.event_type)],
    ['event_time', base.event_time],
    ['emit_time', base.emit_time],
    ['session_id', text(base.session_id)],
    ['backend', text(base.backend)],
    ['task_id', base.task_id === undefined ? 'null' : text(base.task_id)],
    ['node_id', 'null'],
    ['attributes', object(Object.entries(base.attributes).map(([name, value]) => [name, text(value)]))],
    ...[...new Set(ordered)].map((name): [string, string] => [name, ascii(all.get(name) ?? 'null')]),
    ['trace_id', 'null'],
    ['span_id', 'null'],
    ['name', text(base.event_type)],
    ['section', '"event"'],
  ];
  return `${object(members)}\n`;
}

/** As Python writes it: what is not finite without quotes. */
function defaultOf({ type, fallback: { json, value } }: TypedField): string {
  if (type === 'float' && typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (type === 'any') return value === undefined ? 'null' : JSON.stringify(value);
  return json === '' ? (type === 'str' && value === '' ? '""' : 'null') : json;
}

function object(members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, json]) => `${text(name)}: ${json}`).join(', ')}}`;
}

function text(value: string): string {
  return ascii(JSON.stringify(value));
}

/** JSON in ASCII alone, as Python writes it. */
function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

import { encodeUtf8, joinMembers, quote } from '../../bytes.ts';
import type { EventTypes } from '../../event-types/index.ts';
import { fieldsOf, IDENTITY, KEYED_TABLES, type EventTable, type Field } from '../../fields.ts';
import { members, valueText } from '../../json.ts';
import type { Privacy } from '../../privacy/index.ts';
import { REDACTED } from '../../privacy/rules.ts';
import { formatTime, parseTime, storable } from '../../time.ts';
import { labelsAmong, NO_LABELS, tupleOf } from '../../tuples.ts';
import type { Emit, Line } from '../dialect.ts';
import { Declared } from './declared.ts';
import { fits } from './fits.ts';

/** Of the rows that their own columns do not tell. */
const KINDS: ReadonlyMap<unknown, EventTable> = new Map([
  ['step', 'steps'],
  ['log', 'logs'],
  ['task', 'events'],
  ['run', 'events'],
  ['resource', 'events'],
  ['error', 'events'],
  ['custom', 'events'],
]);

const COLUMNS: Readonly<Record<EventTable, readonly Field[]>> = {
  steps: fieldsOf('steps'),
  logs: fieldsOf('logs'),
  events: fieldsOf('events'),
  resources: fieldsOf('resources'),
  tasks: fieldsOf('tasks'),
};
/** Of no use here: the row gets an identity of this spool, and the sender is known to send it once. */
const DROPPED = new Set(IDENTITY.map(({ name }) => name));
const LABELS = ['dialect', 'kind', 'step', 'status', 'project', 'domain', 'task', 'workflow'] as const;
const ERROR_LABELS = ['error_kind', 'root_error_type'] as const;

/**
 * Events as another steptap has stored them, which become the same events here: of the same dialect, with the same fields. Whoever sends them has applied his rules
 * for personal data, and those of this pipeline hold as well; so do its constants. What this version has no field for is kept as an attribute.
 */
export class Steptap {
  readonly #privacy: Privacy;
  readonly #emit: Emit;
  readonly #labels: readonly string[];
  readonly #declared: Declared;

  /** `labels`: attributes of custom steps that are labels of the histogram. `types`: those that the pipeline declares. */
  constructor(privacy: Privacy, emit: Emit, labels: readonly string[], types: EventTypes | undefined) {
    this.#privacy = privacy;
    this.#emit = emit;
    this.#labels = labels;
    this.#declared = new Declared(types);
  }

  /** Makes the event of a row, or a rejection. `text` is the row's JSON. */
  take(value: Record<string, unknown>, text: string, line: Line): void {
    this.#privacy.tell?.note('dialect', 'an event of another steptap', 'steptap');
    const table = tableOf(value);
    const time = typeof value['ts'] === 'string' ? parseTime(value['ts']) : undefined;
    const given = members(text);
    const problem =
      table === undefined
        ? 'kind is none that is known here'
        : time === undefined || !storable(time.us)
          ? 'ts is no time that can be stored'
          : (COLUMNS[table].find((field) => !fits(value[field.name], field))?.name ??
            unkeyed(table, value) ??
            this.#declared.problem(table, given));
    if (table === undefined || time === undefined || problem !== undefined) {
      this.#emit.reject('schema', `an event of another steptap: ${problem}`, 'steptap', line);
      return;
    }
    if (table === 'logs' && !this.#emit.logs) this.#emit.filtered('log', line.lines);
    else this.#event(table, time.us, value, given, line);
  }

  #event(
    table: EventTable,
    ts_us: number,
    value: Record<string, unknown>,
    given: ReadonlyMap<string, string>,
    line: Line,
  ): void {
    const said: Record<string, unknown> = { ...value, ...line.origin.constants };
    const attributes = this.#attributes(table, value, given);
    let row = `{"ts":"${formatTime(ts_us)}"`;
    for (const { name, search } of COLUMNS[table]) {
      const json = this.#column(name, search, said[name], given.get(name), attributes);
      if (json !== '' && name !== 'ts') row += `,"${name}":${json}`;
    }
    row += this.#declared.columns(table, given, this.#privacy);
    const labels = Object.fromEntries(
      [...LABELS, ...ERROR_LABELS].map((name) => [name, typeof said[name] === 'string' ? said[name] : '']),
    );
    const custom = said['dialect'] === 'custom' && table === 'steps';
    const user = custom ? labelsAmong(new Map(attributes), this.#labels) : NO_LABELS;
    const seconds = said['wall_time_s'];
    const duration = table === 'steps' && typeof seconds === 'number' ? seconds : Number.NaN;
    this.#emit.event(table, `${row}}`, tupleOf({ ...labels, user }), duration, line.lines);
  }

  /** Those of the row, and whatever of it is no field of its table. */
  #attributes(
    table: EventTable,
    value: Record<string, unknown>,
    given: ReadonlyMap<string, string>,
  ): [string, string][] {
    const all = Object.entries((value['attributes'] ?? {}) as Record<string, string>);
    for (const [name, json] of given) {
      if (DROPPED.has(name) || this.#declared.has(table, name) || COLUMNS[table].some((field) => field.name === name))
        continue;
      const text = valueText(json);
      if (text !== undefined) all.push([name, text]);
    }
    return all.flatMap(([name, text]): [string, string][] => {
      const stored = this.#privacy.attribute(name, text);
      return stored === undefined ? [] : [[name, stored]];
    });
  }

  /** The JSON of a column, as a byte string; `''` for what is not there. */
  #column(
    name: string,
    search: Field['search'],
    said: unknown,
    json: string | undefined,
    attributes: readonly [string, string][],
  ): string {
    if (name === 'attributes') return objectText(attributes);
    if (said === undefined || said === null || said === '') return '';
    if (name === 'params') return this.#params(json ?? '{}');
    if (name === 'labels') return objectText(Object.entries(said));
    if (name === 'message') return quote(this.#privacy.text(said as string));
    if (search === 'date_nanos') return `"${formatTime(parseTime(said as string)!.us)}"`;
    if (typeof said === 'string') return quote(said);
    if (typeof said === 'object') return encodeUtf8(json!);
    // A fraction keeps its digits; a whole number may have come with a point, which no column of those can hold.
    return json === undefined || Number.isSafeInteger(said) ? JSON.stringify(said) : json;
  }

  /** Inputs, decoded already: those that are redacted stay so, and the rules of this pipeline hold for the others. */
  #params(json: string): string {
    const privacy = this.#privacy;
    if (privacy.dropsParams) return '';
    const parts: [string, string][] = [];
    for (const [name, own] of members(json)) {
      const rule = privacy.param(name);
      const text = valueText(own) ?? own;
      if (rule === 'hash') parts.push([name, quote(privacy.hash(text))]);
      else if (rule === 'redact') parts.push([name, quote(REDACTED)]);
      else if (rule === 'keep') {
        const told = privacy.value(text);
        parts.push([name, told === text && !own.startsWith('"') ? encodeUtf8(own) : quote(told)]);
      }
    }
    return `{${joinMembers(parts)}}`;
  }
}

function tableOf(value: Record<string, unknown>): EventTable | undefined {
  // Tasks are told by events, too, of the same kind.
  if (value['task_key'] !== undefined) return 'tasks';
  return typeof value['resource_scope'] === 'string' ? 'resources' : KINDS.get(value['kind']);
}

/** What a row of a keyed table must have, and has not. */
function unkeyed(table: EventTable, value: Record<string, unknown>): string | undefined {
  if (!KEYED_TABLES.has(table)) return undefined;
  const { task_key } = value;
  if (typeof task_key !== 'string' || !/^[0-9a-f]{32}$/.test(task_key)) return 'task_key';
  return ['version', 'revision'].find((name) => typeof value[name] !== 'number');
}

function objectText(entries: readonly (readonly [string, string])[]): string {
  if (entries.length === 0) return '';
  return `{${joinMembers(entries.map(([name, text]) => [name, quote(text)] as const))}}`;
}

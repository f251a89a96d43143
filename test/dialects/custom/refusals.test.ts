import { expect, test } from 'vitest';
import { compileEvents, EventError, type EventOptions } from '../../../src/dialects/custom/index.ts';

type Some = Partial<EventOptions>;

function refusal(events: Readonly<Record<string, Some>>): [string, string] {
  const given = Object.entries(events).map(([name, some]) => [name, { match: { event: name }, ...some }] as const);
  try {
    compileEvents(Object.fromEntries(given));
  } catch (error) {
    if (error instanceof EventError) return [error.path.join('.'), error.message];
    throw error;
  }
  return ['', 'is taken'];
}

const step = (some: Some): Some => ({ kind: 'step', ...some });
const schema = (value: Record<string, unknown>): Some => ({ schema: value });
const field = (fields: NonNullable<EventOptions['fields']>): Some => ({ fields });

test.each<[string, Some, string, string]>([
  [
    'a type that is none',
    schema({ properties: { a: { type: 'sting' } } }),
    'schema.properties.a.type',
    'is no valid JSON Schema: must be equal to one of the allowed values',
  ],
  [
    'a bound that is no number',
    schema({ properties: { took_ms: { minimum: 'x' } } }),
    'schema.properties.took_ms.minimum',
    'is no valid JSON Schema: must be number',
  ],
  [
    'a keyword that is misspelt',
    schema({ allOf: [{ requird: ['a'] }] }),
    'schema.allOf.0.requird',
    'is no keyword of JSON Schema',
  ],
  ['a schema that answers later', schema({ $async: true }), 'schema.$async', 'is no keyword of JSON Schema'],
  [
    'a format that is not checked',
    schema({ items: { format: 'idn-email' } }),
    'schema.items.format',
    'the format idn-email is not checked here, only date, date-time, email, hostname, ipv4, ipv6, uri, uuid; use a pattern',
  ],
  [
    'a pattern that is none',
    schema({ properties: { a: { pattern: '(' } } }),
    'schema.properties.a.pattern',
    'is no regular expression: Invalid regular expression: /(/u: Unterminated group',
  ],
  ...['^(a+)+$', '((?:[a-z]*))*', '(?:\\w+)+x', '(a{2,})*'].map((pattern): [string, Some, string, string] => [
    `a pattern that repeats what repeats, ${pattern}`,
    schema({ properties: { a: { pattern } } }),
    'schema.properties.a.pattern',
    'repeats what repeats, as in (a+)+: a hostile line could hold the process for hours',
  ]),
  [
    'a name that is no pattern',
    schema({ patternProperties: { '[': {} } }),
    'schema.patternProperties.[',
    'is no regular expression: Invalid regular expression: /[/u: Unterminated character class',
  ],
  [
    'another schema that is not there',
    schema({ $ref: '#/$defs/a' }),
    'schema',
    "is no valid JSON Schema: can't resolve reference #/$defs/a from id #",
  ],
  [
    'items of draft 7 in 2020-12',
    schema({ items: [{}] }),
    'schema.items',
    'is no valid JSON Schema: must be object,boolean',
  ],
  [
    'another draft',
    schema({ $schema: 'http://json-schema.org/draft-04/schema#' }),
    'schema.$schema',
    'is not known: leave it out for draft 2020-12, or give http://json-schema.org/draft-07/schema#',
  ],
  [
    'uniqueness without a bound',
    schema({ properties: { a: { uniqueItems: true } } }),
    'schema.properties.a.uniqueItems',
    'needs maxItems of at most 1000 beside it',
  ],
  [
    'a unit on text',
    field({ task: { key: 'a', unit: 'ms' } }),
    'fields.task.unit',
    'task is no time and no duration; leave the unit out',
  ],
  [
    'values on a number',
    field({ attempt: { key: 'a', values: { x: '1' } } }),
    'fields.attempt.values',
    'attempt is no text; leave the values out',
  ],
  ['neither key nor const', field({ task: {} }), 'fields.task', 'needs a key or a const'],
  [
    'key and const',
    field({ task: { key: 'a', const: 'b' } }),
    'fields.task.key',
    'stands beside a const, which needs nothing else',
  ],
  [
    'a const with a unit',
    field({ wall_time_s: { const: 1, unit: 'ms' } }),
    'fields.wall_time_s.unit',
    'stands beside a const, which needs nothing else',
  ],
  ['a const for the time', field({ ts: { const: '2026-01-01' } }), 'fields.ts.const', 'ts is of each line; give a key'],
  [
    'a const below 0',
    field({ wall_time_s: { const: -1 } }),
    'fields.wall_time_s.const',
    'is no duration; give seconds, 0 or more',
  ],
  [
    'a const above 65535',
    field({ map_index: { const: 65_536 } }),
    'fields.map_index.const',
    'is no map_index; give 0 to 65535',
  ],
  [
    'a const that is no status',
    field({ status: { const: 'ok' } }),
    'fields.status.const',
    'ok is no status; give one of success, error, canceled, running, unknown',
  ],
  [
    'a value that is no status',
    field({ status: { key: 's', values: { yes: 'ok' } } }),
    'fields.status.values.yes',
    'ok is no status; give one of success, error, canceled, running, unknown',
  ],
  [
    'two columns from one key',
    field({ task: 'a', workflow: { key: 'a' } }),
    'fields.workflow',
    'task and workflow are both read from a; leave one out',
  ],
  ['params from within', field({ params: 'a.b' }), 'fields.params.key', 'has to be a key of the line itself'],
  [
    'a column that steps has not',
    step(field({ message: 'a' })),
    'fields.message',
    'is no column of steps; leave it out, and the key is kept in attributes',
  ],
  [
    'labels of what is no step',
    { labels: ['a'] },
    'labels',
    'are of the histogram of steps: set kind to step, or leave them out',
  ],
  [
    'a label that is no name',
    step({ labels: ['a', 'model.name'] }),
    'labels.1',
    'model.name is no name of a Prometheus label: use letters, digits and _, as in `- model_name: model.name`',
  ],
  [
    'a label of Prometheus itself',
    step({ labels: [{ __name__: 'a' }] }),
    'labels.0',
    '__name__ is no name of a Prometheus label: use letters, digits and _, as in `- model_name: model.name`',
  ],
  [
    'a label that is there',
    step({ labels: ['status'] }),
    'labels.0',
    'status is a label already; give the key status another name, as in `- my_status: status`',
  ],
  [
    'the bound of a bucket',
    step({ labels: [{ le: 'x' }] }),
    'labels.0',
    'le is a label already; give the key x another name, as in `- my_le: x`',
  ],
  ['a label twice', step({ labels: ['a', { a: 'b' }] }), 'labels.1', 'a stands here twice'],
  [
    'a rule for a column',
    { ...field({ task: 'User' }), privacy: { mask: ['x', 'user'] } },
    'privacy.mask.1',
    'task is read from user, and a key with a rule fills no column; leave one out',
  ],
  [
    'a rule for what a column is in',
    { ...field({ task: 'user.name' }), privacy: { drop: ['user'] } },
    'privacy.drop.0',
    'task is read from user, and a key with a rule fills no column; leave one out',
  ],
  [
    'steps of flytekit',
    { match: { event: 'flytekit_step', x: 1 } },
    'match.event',
    'never matches: lines with flytekit_step are read as steps of flytekit',
  ],
])('%s is refused', (_, some, path, message) => {
  expect(refusal({ epoch: some })).toEqual([`epoch.${path}`, message]);
});

test('An event that another leaves nothing is refused, and not one that it leaves something', () => {
  const taken: [string, string] = ['', 'is taken'];
  const first = { match: { a: [1, 2] } };
  expect(refusal({ first, second: { match: { b: 1, a: 2 } } })).toEqual([
    'second.match',
    'never matches: first, which comes first, takes all its lines; put second before it',
  ]);
  expect(refusal({ second: { match: { b: 1, a: 2 } }, first })).toEqual(taken);
  expect(refusal({ first, second: { match: { a: [2, 3] } } })).toEqual(taken);
});

test('More than 8 labels of all events are refused, and 8 are not', () => {
  const labels = (from: number, to: number): Some =>
    step({ labels: Array.from({ length: to - from }, (_, n) => `l${from + n}`) });
  expect(refusal({ one: labels(0, 6), two: labels(4, 8) })).toEqual(['', 'is taken']);
  expect(refusal({ one: labels(0, 6), two: labels(4, 9) })).toEqual([
    'two.labels',
    'make more than 8 labels, with those of the events before; leave some out',
  ]);
});

test('Labels are those of all events, in an order that is not theirs', () => {
  const { labels } = compileEvents({
    one: { match: { a: 1 }, kind: 'step', labels: ['z', 'b'] },
    two: { match: { a: 2 }, kind: 'step', labels: ['b', { a: 'z' }] },
  });
  expect(labels).toEqual(['a', 'b', 'z']);
});

test('Schemas of both drafts are taken, and two may have one $id', () => {
  const seven = { $schema: 'http://json-schema.org/draft-07/schema#', $id: 'x', items: [{}], definitions: { a: {} } };
  const newer = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'x',
    prefixItems: [{}],
    default: { any: 1 },
  };
  expect(refusal({ a: schema(seven), b: schema(newer), c: schema(newer), d: schema({ ...seven }) })).toEqual([
    '',
    'is taken',
  ]);
});

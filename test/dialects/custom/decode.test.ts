import { describe, expect, test } from 'vitest';
import type { EventOptions } from '../../../src/dialects/custom/index.ts';
import { ARRIVAL, decode, stepLine } from '../../support/decode.ts';
import { compiled, epoch, EPOCH, read } from './events.ts';

const LINE = { match: { e: 1 } } satisfies EventOptions;

test('A step of your own is a row of steps, with all else of the line beside it', () => {
  const { rows } = read(epoch({ name: 'epoch 12', model: 'm', meta: { dataset: 'd' }, n: [1, 'x'] }));
  expect(rows).toMatchObject([{ table: 'steps', duration: 1.001 }]);
  expect(rows[0]?.fields).toEqual({
    ts: '2026-02-19T11:59:59.250000Z',
    ts_start: '2026-02-19T11:59:58.249000Z',
    dialect: 'custom',
    event: 'epoch',
    kind: 'step',
    step: 'epoch <n>',
    step_raw: 'epoch 12',
    status: 'success',
    wall_time_s: 1.001,
    project: 'recommender',
    attributes: { v: '1', meta: '{"dataset":"d"}', n: '[1,"x"]', model: 'm', data: 'd' },
  });
  expect(rows[0]?.tuple).toMatchObject({ dialect: 'custom', kind: 'step', step: 'epoch <n>', project: 'recommender' });
  expect([...rows[0]!.tuple.user]).toEqual([
    ['data', 'd'],
    ['model', 'm'],
  ]);
});

describe('A line matches', () => {
  test.each<[string, EventOptions['match'], string, boolean]>([
    ['one constant', { e: 'a' }, '{"e": "a"}', true],
    ['no other value', { e: 'a' }, '{"e": "b"}', false],
    ['no other type', { e: 1 }, '{"e": "1"}', false],
    ['a number however it is written', { e: 1 }, '{"e": 1.0e0}', true],
    ['one of a list', { e: ['a', 2, null] }, '{"e": 2}', true],
    ['null', { e: null }, '{"e": null}', true],
    ['no key that is not there', { e: null }, '{"f": null}', false],
    ['every key', { e: 1, f: true }, '{"f": true, "e": 1}', true],
    ['not only one of the keys', { e: 1, f: true }, '{"e": 1, "f": false}', false],
    ['a key within', { 'meta.kind': 'a' }, '{"meta": {"kind": "a"}}', true],
    ['a key that is written with a dot', { 'meta.kind': 'a' }, '{"meta.kind": "a"}', true],
    ['no key within text', { 'meta.kind': 'a' }, '{"meta": "kind"}', false],
    ['nothing that every object has', { 'toString.name': 'toString' }, '{}', false],
    ['the last of a key that comes twice', { e: 2 }, '{"e": 1, "e": 2}', true],
  ])('%s', (_, match, line, taken) => {
    const { events, logs } = read(line, { match });
    expect([events.length, logs.length]).toEqual(taken ? [1, 0] : [0, 1]);
  });

  test('the first event of the file that takes it, whatever the key that they are found by', () => {
    const events: EventOptions[] = [{ match: { b: 1, a: 1 } }, { match: { a: [1, 2] } }, { match: { b: 1 } }];
    const names = ['{"a":1,"b":1}', '{"a":2,"b":1}', '{"a":3,"b":1}'].map(
      (line) => read(line, events).events[0]?.['event'],
    );
    expect(names).toEqual(['epoch', 'other1', 'other2']);
  });

  test('none that a built-in dialect takes', () => {
    const { steps } = read(stepLine(), { match: { levelname: 'INFO' } });
    expect(steps).toMatchObject([{ dialect: 'flytekit' }]);
  });
});

describe('A column is filled', () => {
  test.each<[string, NonNullable<EventOptions['fields']>, string, object]>([
    ['from a key', { task: 'x' }, '"a"', { task: 'a' }],
    [
      'from a key within',
      { task: 'x.y.z' },
      '{"y": {"z": "a"}}',
      { task: 'a', attributes: { x: '{"y": {"z": "a"}}' } },
    ],
    ['by a constant', { project: { const: 'p' } }, '0', { project: 'p', attributes: { x: '0' } }],
    ['by a number as it was written', { task: 'x' }, '1.50', { task: '1.50' }],
    [
      'by a word for a value',
      { status: { key: 'x', values: { true: 'error', done: 'success' } } },
      'true',
      { status: 'error' },
    ],
    ['with milliseconds', { wall_time_s: { key: 'x', unit: 'ms' } }, '1001', { wall_time_s: 1.001 }],
    ['with nanoseconds', { wall_time_s: { key: 'x', unit: 'ns' } }, '1', { wall_time_s: 1e-9 }],
    ['with microseconds', { process_time_s: { key: 'x', unit: 'us' } }, '7', { process_time_s: 7e-6 }],
    ['with minutes', { wall_time_s: { key: 'x', unit: 'min' } }, '1.5', { wall_time_s: 90 }],
    ['with hours', { wall_time_s: { key: 'x', unit: 'h' } }, '0.5', { wall_time_s: 1800 }],
    ['with seconds', { wall_time_s: 'x' }, '0', { wall_time_s: 0, ts_start: ARRIVAL }],
    ['with a number of many digits', { wall_time_s: 'x' }, `1.${'1'.repeat(100)}`, { wall_time_s: 1.1111111111111112 }],
    ['with a count', { attempt: 'x' }, '3', { attempt: 3 }],
    ['with an index', { map_index: 'x' }, '65535', { map_index: 65_535 }],
    ['with a level', { level: 'x' }, '"warning"', { level: 'WARN' }],
    ['with a level of a number', { level: 'x' }, '50', { level: 'ERROR' }],
    ['with inputs, redacted', { params: 'x' }, '{"lr": 0.1}', { params: { lr: '[redacted]' } }],
    ['with inputs in text', { params: 'x' }, '"{\\"lr\\": 0.1}"', { params: { lr: '[redacted]' } }],
    ['with an event', { event: 'x' }, '"own"', { event: 'own' }],
    ['with a step beside another kind', { step: 'x' }, '"fit 3"', { step: 'fit <n>', step_raw: 'fit 3' }],
    ['not by null', { task: 'x' }, 'null', {}],
    ['not by nothing', { task: 'x', event: 'y' }, '""', {}],
    [
      'with ISO text',
      { ts: 'x' },
      '"2026-02-19T10:00:00+01:00"',
      { ts: '2026-02-19T09:00:00.000000Z', provenance: undefined },
    ],
    ['with an epoch', { ts: 'x' }, '1771495200.5', { ts: '2026-02-19T10:00:00.500000Z', provenance: undefined }],
    [
      'with an epoch in ns',
      { ts: { key: 'x', unit: 'ns' } },
      '1771495200000001000',
      { ts: '2026-02-19T10:00:00.000001Z', provenance: undefined },
    ],
    [
      'with an old time in s',
      { ts: { key: 'x', unit: 's' } },
      '5',
      { ts: '1970-01-01T00:00:05.000000Z', provenance: undefined },
    ],
    ['not with a time that is none', { ts: 'x' }, '"today"', { attributes: { x: 'today' } }],
    ['not with a text of a number', { ts: { key: 'x', unit: 's' } }, '"5"', { attributes: { x: '5' } }],
    ['not with a time before 1970', { ts: { key: 'x', unit: 's' } }, '-5', { attributes: { x: '-5' } }],
  ])('%s', (_, fields, value, expected) => {
    const plain = { ts: ARRIVAL, dialect: 'custom', event: 'epoch', kind: 'custom', provenance: 'ts:arrival' };
    const { events } = read(`{"e": 1, "x": ${value}}`, { ...LINE, fields });
    const { ts_start: _start, ...row } = { ts_start: '', ...events[0] };
    const { ts_start: _other, ...whole } = { ts_start: '', ...plain, ...expected };
    expect(row).toEqual(whole);
  });

  test.each<[string, NonNullable<EventOptions['fields']>, string, string]>([
    ['a duration below 0', { wall_time_s: 'x' }, '-1', 'x must be a finite number, 0 or more'],
    ['an infinite duration', { wall_time_s: 'x' }, 'Infinity', 'x must be a finite number, 0 or more'],
    [
      'a duration that becomes infinite',
      { wall_time_s: { key: 'x', unit: 'h' } },
      '1e308',
      'x must be a finite number, 0 or more',
    ],
    ['a duration in text', { wall_time_s: 'x' }, '"5"', 'x must be a finite number, 0 or more'],
    ['a duration that is NaN', { process_time_s: 'x' }, 'NaN', 'x must be a finite number, 0 or more'],
    ['an attempt that is none', { attempt: 'x' }, '65536', 'x must be a whole number from 0 to 65535'],
    ['half an attempt', { attempt: 'x' }, '0.5', 'x must be a whole number from 0 to 65535'],
    ['an object for a name', { task: 'x' }, '{"a": 1}', 'x must be text, a number, true or false'],
    ['a status that is none', { status: 'x' }, '"ok"', 'x must be one of success, error, canceled, running, unknown'],
    [
      'a value without a word',
      { status: { key: 'x', values: { ok: 'success' } } },
      '"hidden"',
      'x has a value that is not among the values of status',
    ],
    ['a level that is none', { level: 'x' }, '"loud"', 'x must be one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL'],
    ['a kind of error that is none', { error_kind: 'x.y' }, '{"y": "mine"}', 'x.y must be one of user, system'],
  ])('by no %s: the line is a rejection', (_, fields, value, detail) => {
    const { rows } = read(`{"e": 1, "x": ${value}}`, { ...LINE, fields });
    expect(rows).toMatchObject([{ fields: { reason: 'schema', detail: `epoch: ${detail}`, dialect: 'custom' } }]);
  });
});

describe('The status', () => {
  test.each<[NonNullable<EventOptions['kind']>, string, string | undefined]>([
    ['step', '{"e": 1}', 'success'],
    ['step', '{"e": 1, "type": "OSError"}', 'error'],
    ['step', '{"e": 1, "type": null}', 'success'],
    ['step', '{"e": 1, "type": "OSError", "s": "canceled"}', 'canceled'],
    ['error', '{"e": 1}', 'error'],
    ['run', '{"e": 1, "type": "OSError"}', undefined],
  ])('of kind %s and %s is %s', (kind, line, status) => {
    const { rows } = read(line, { ...LINE, kind, fields: { error_type: 'type', status: 's' } });
    expect(rows[0]?.fields['status']).toBe(status);
    expect(rows[0]?.tuple.status).toBe(status ?? '');
    expect(rows[0]?.table).toBe(kind === 'step' ? 'steps' : 'events');
  });
});

test('An error of your own is counted under its own class', () => {
  const fields = { root_error_type: 'class', error_kind: { const: 'user' }, message: 'text' };
  const { rows } = read('{"e": 1, "class": "OOM", "text": "killed"}', { ...LINE, kind: 'error', fields });
  expect(rows[0]?.fields).toMatchObject({
    kind: 'error',
    root_error_type: 'OOM',
    error_kind: 'user',
    message: 'killed',
  });
  expect(rows[0]?.tuple).toMatchObject({ kind: 'error', root_error_type: 'OOM', error_kind: 'user' });
});

test('A step whose line has no name is called like its event', () => {
  const { steps } = read('{"e": 1}\n{"e": 1, "n": ""}', { ...LINE, kind: 'step', fields: { step: 'n' } });
  for (const step of steps) expect(step).toEqual(expect.objectContaining({ step: 'epoch', event: 'epoch' }));
  expect(steps[0]).not.toHaveProperty('step_raw');
});

test('What the line says of itself comes behind constants and before the pod', () => {
  const fields = { execution_id: 'id', project: 'project', workflow: 'flow', node_id: 'node', attempt: 'try' } as const;
  const line = '{"e": 1, "id": "own", "project": "mine", "flow": "w", "node": "n9", "try": 7}';
  const prefix = '[pod/a7hzqtz5cm6k2dnm7k2w-n0-2/main] ';
  const { events } = read(
    `${prefix}${line}\n${prefix}{"e": 1}`,
    { ...LINE, fields },
    { constants: { project: 'set' } },
  );
  expect(events).toMatchObject([
    {
      execution_id: 'own',
      project: 'set',
      workflow: 'w',
      node_id: 'n9',
      attempt: 7,
      provenance: 'ts:arrival,project:set',
    },
    { execution_id: 'a7hzqtz5cm6k2dnm7k2w', node_id: 'n0', attempt: 2, project: 'set' },
  ]);
});

describe('A line that matches and does not fit the schema is a rejection', () => {
  const schema = {
    properties: {
      name: { type: 'string', maxLength: 5 },
      list: { items: { type: 'object', properties: { id: { format: 'uuid' } } } },
      map: { additionalProperties: { type: 'number' } },
      either: { anyOf: [{ type: 'number' }, { const: 'none' }] },
      word: { enum: ['a', 'b'] },
    },
    required: ['name'],
  };
  test.each([
    ['{"e": 1}', "the line must have required property 'name'"],
    ['{"e": 1, "name": "canary"}', 'name must NOT have more than 5 characters'],
    ['{"e": 1, "name": "x", "list": [{}, {"id": "canary"}]}', 'list.1.id must match format "uuid"'],
    ['{"e": 1, "name": "x", "map": {"canary": "canary"}}', 'map.* must be number'],
    ['{"e": 1, "name": "x", "either": "canary"}', 'either must match a schema in anyOf'],
    ['{"e": 1, "name": "x", "word": "canary"}', 'word must be equal to one of the allowed values: "a", "b"'],
  ])('%s', (line, detail) => {
    const { rejections } = read(line, { ...LINE, schema });
    expect(rejections).toMatchObject([{ reason: 'schema', detail: `epoch: ${detail}`, dialect: 'custom', raw: line }]);
  });

  test('which says where, however deep', () => {
    const self = { $defs: { n: { properties: { n: { $ref: '#/$defs/n' } } } }, $ref: '#/$defs/n' };
    const line = `{"e": 1, "n": ${'{"n":'.repeat(10_000)}1${'}'.repeat(10_000)}}`;
    const { rejections } = read(line, { ...LINE, schema: self });
    expect(rejections).toMatchObject([{ detail: 'epoch: is nested too deep for its schema' }]);
  });
});

test.each([
  ['date-time', '2026-02-19T10:00:00.123456789012Z', '2026-02-30T10:00:00Z'],
  ['date-time', '2026-02-19t10:00:00+05:30', '2026-02-19 10:00:00Z'],
  ['date', '2024-02-29', '2025-02-29'],
  ['uuid', '6F1d0e2a-0000-4000-8000-123456789abc', '6f1d0e2a00004000800012345678'],
  ['uri', 's3://bucket/a%20b?c=d#e', '/a/b'],
  ['email', 'a.b+c@example.org', 'a@b@'],
  ['hostname', 'a-1.example', '-a.example'],
  ['ipv4', '10.0.0.1', '10.0.0.256'],
  ['ipv6', '::1', '1:2'],
])('The format %s takes %s and refuses %s', (format, good, bad) => {
  const lines = [good, bad].map((x) => JSON.stringify({ e: 1, x })).join('\n');
  const { events, rejections } = read(lines, { ...LINE, schema: { properties: { x: { format } } } });
  expect(events).toMatchObject([{ attributes: { x: good } }]);
  expect(rejections).toHaveLength(1);
});

describe('A line that is cut short', () => {
  const whole = epoch({ model: 'm' });

  test.each([
    ['in its last value', whole.slice(0, -5)],
    ['behind what matches', '{"event": "epoch_done", "v" : 2, "na'],
    ['with keys in another order', '{ "v":2,"x":[1,{"event":"epoch_done"'],
  ])('%s is a rejection, not a log', (_, line) => {
    const { rows } = read(line);
    expect(rows).toMatchObject([
      {
        fields: {
          reason: 'json_syntax',
          dialect: 'custom',
          detail: 'says it is epoch and is not valid JSON',
          raw: line,
        },
      },
    ]);
  });

  test.each([
    ['before all that matches', '{"event": "epoch_done", "x": 1'],
    ['in a constant that matches', '{"event": "epoch_done", "v": 2'.replace('2', '25')],
    ['in a string of another key', String.raw`{"x": "{\"event\": \"epoch_done\", \"v\": 1`],
  ])('%s is a log', (_, line) => {
    expect(read(line).rows).toMatchObject([{ table: 'logs' }]);
  });

  test('is known by constants of any letters, however they are escaped', () => {
    const match = { événement: 'été "1"', n: 1.5 };
    const line = JSON.stringify(match).slice(0, -1);
    const escaped = line.replaceAll('é', String.raw`\u00e9`);
    for (const text of [`${line},`, `${escaped},`]) expect(read(text, { match }).rejections).toHaveLength(1);
    expect(read(`${line}5`, { match }).logs).toHaveLength(1);
  });

  test('is a log where all that matches is in objects within', () => {
    expect(read('{"meta": {"kind": "a"', { match: { 'meta.kind': 'a' } }).logs).toHaveLength(1);
  });
});

test('Two writers on one line: every event is read, and what is left is text', () => {
  const { steps, logs, rejections } = read(
    `${epoch({ name: 'a' })}${epoch({ name: 'b' })} done\n${epoch()}${epoch().slice(0, -4)}`,
  );
  expect(steps.map(({ step }) => step)).toEqual(['a', 'b', 'epoch']);
  expect(logs).toMatchObject([{ message: ' done' }]);
  expect(rejections).toMatchObject([{ reason: 'json_syntax', dialect: 'custom', lines: 0 }]);
});

test('An event ends a stack that is open in its stream', () => {
  const trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: x';
  const { logs, steps } = read(`${trace}\n${epoch()}\n  File "y.py", line 1\n`);
  expect(logs).toMatchObject([{ message: trace, lines: 3 }, { message: '  File "y.py", line 1' }]);
  expect(steps).toHaveLength(1);
});

test('Numbers, nested JSON and keys of any name stay as they were written', () => {
  const line =
    '{"e": 1, "big": 12345678901234567890.10, "f": 1e400, "o": {"a": 1.0}, "__proto__": 1, "constructor": "c", "half": "\\ud800"}';
  const [row] = read(line, LINE).rows;
  expect(row?.text).toContain(
    String.raw`"attributes":{"big":"12345678901234567890.10","f":"1e400","o":"{\"a\": 1.0}","__proto__":"1","constructor":"c","half":"�"}`,
  );
});

test('A label does not lose what the line has under its name', () => {
  const { rows } = read('{"e": 1, "m": "a", "model": "b"}', { ...LINE, kind: 'step', labels: [{ model: 'm' }] });
  expect(rows[0]?.fields['attributes']).toEqual({ model: 'a', model_original: 'b' });
});

test('No events are as good as none', () => {
  const line = epoch({ model: 'm' });
  expect(decode(line, { events: compiled() })).toEqual(decode(line));
});

test('What a schema says of a line holds for the steps of the example', () => {
  expect(read(epoch({ took_ms: -1 })).rejections).toMatchObject([{ detail: 'epoch: took_ms must be >= 0' }]);
  expect(read(epoch({ v: 3 }), EPOCH).logs).toHaveLength(1);
});

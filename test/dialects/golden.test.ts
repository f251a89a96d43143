import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FIELDS, fieldsOf } from '../../src/fields.ts';
import { decode, type Fields } from '../support/decode.ts';
import { LOGS } from './flytekit/samples-logs.ts';
import { ERRORS, STEPS } from './flytekit/samples.ts';

const bytes = readFileSync('test/fixtures/flyte-samples.log');
const lines = bytes.toString('utf8').split('\n');
const samples = decode(bytes);

test('Every line of the samples is in an event, in a rejection or blank', () => {
  expect(samples.lines).toBe(86);
  expect(samples.bytes).toBe(bytes.length);
  expect(samples.offset).toBe(bytes.length);
  expect(samples.blank).toBe(2);
  expect(samples.rejections).toHaveLength(2);
  expect(samples.events).toHaveLength(2);
  expect(samples.steps).toHaveLength(STEPS.length);
  expect(samples.logs).toHaveLength(LOGS.length);
});

test.each(STEPS)('The step on line %i is what the format says, and nothing else', (number, expected) => {
  expect(samples.steps[STEPS.findIndex(([each]) => each === number)]).toEqual(expected);
});

test.each(LOGS)('The log on line %i is what the format says, and nothing else', (number, expected) => {
  expect(samples.logs[LOGS.findIndex(([each]) => each === number)]).toEqual(expected);
});

test('The four lines of a captured error are one event with the true class', () => {
  expect(samples.events[0]).toEqual(ERRORS[0]);
});

test('A captured error in text, blank lines and all, is one event', () => {
  expect(samples.events[1]).toEqual(ERRORS[1]);
});

test('A step that does not fit the schema is a rejection that says why, without its values', () => {
  expect(samples.rejections[0]).toMatchObject({
    reason: 'schema',
    dialect: 'flytekit',
    source: 'test',
    lines: 1,
    offset: bytes.indexOf(lines[54]!),
    raw: lines[54],
  });
  expect(samples.rejections[0]?.['detail']).not.toMatch(/1\.2|"ok"/);
});

test('A step that was cut short is a rejection with what there is of it', () => {
  expect(samples.rejections[1]).toMatchObject({
    reason: 'json_syntax',
    dialect: 'flytekit',
    lines: 1,
    offset: bytes.indexOf(`${lines[55]!}\n`),
    raw: lines[55],
  });
});

test('Metrics and spans need no second parse: labels and durations stand beside the rows', () => {
  const labels = ['dialect', 'kind', 'step', 'status', 'project', 'domain', 'task', 'workflow', 'reason'] as const;
  for (const { table, fields, tuple, duration } of samples.rows) {
    const said: Fields = table === 'rejections' ? { dialect: fields['dialect'], reason: fields['reason'] } : fields;
    expect(labels.map((label) => tuple[label])).toEqual(labels.map((label) => said[label] ?? ''));
    expect(duration).toBe(fields['wall_time_s'] ?? Number.NaN);
  }
  const errors = samples.rows.filter(({ table }) => table === 'events').map(({ tuple }) => tuple);
  expect(errors).toMatchObject([
    { root_error_type: 'ValueError', error_kind: 'user' },
    { root_error_type: 'ValueError', error_kind: '' },
  ]);
});

test('A row has only fields of its table, in the one order, and none of them is empty', () => {
  const order = FIELDS.map(({ name }) => name);
  for (const { table, fields } of samples.rows) {
    if (table === 'rejections') continue;
    const names = Object.keys(fields);
    const known = fieldsOf(table).map(({ name }) => name);
    expect(known).toEqual(expect.arrayContaining(names));
    expect(names).toEqual(order.filter((name) => names.includes(name)));
    expect(Object.values(fields)).not.toContain('');
    expect(Object.values(fields)).not.toContain(null);
  }
});

test('The reference decoder alone says the same of the samples', () => {
  expect(decode(bytes, { fast: false }).rows).toEqual(samples.rows);
});

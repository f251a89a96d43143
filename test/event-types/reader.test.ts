import { expect, test } from 'vitest';
import type { EventTypes } from '../../src/event-types/index.ts';
import { members } from '../../src/json.ts';
import { Privacy } from '../../src/privacy/index.ts';
import { PRIVACY_DEFAULTS, type PrivacyOptions } from '../../src/privacy/rules.ts';
import { FRAMEWORK, types } from './parts.ts';

const CHECKPOINT = 'myframework.ModelCheckpoint';

/** What a line comes to: its columns, or why it is no such event. */
function read(line: string, of: EventTypes = types(FRAMEWORK), privacy: Partial<PrivacyOptions> = {}): unknown {
  const options = { ...PRIVACY_DEFAULTS, ...privacy };
  const read = of.reader(options, new Privacy(options)).read([...of.types.keys()].at(-1)!, members(line));
  if (typeof read !== 'object') return read;
  return JSON.parse(`{${Buffer.from(read.fragment, 'latin1').toString('utf8').slice(1)}}`);
}

test('declared fields are columns, those of the base first, under the names that they were given', () => {
  const line =
    '{"loss": 0.25, "step": 7, "run": "r1", "metric": "acc", "elapsed_s": 1.50, "final": true, "shape": [1, 2]}';
  const found = read(line);
  expect(found).toEqual({
    run: 'r1',
    checkpoint_step: 7,
    loss: 0.25,
    metric: 'acc',
    elapsed_s: 1.5,
    final: true,
    shape: '[1, 2]',
  });
  expect(Object.keys(found as object)[0]).toBe('run');
});

test('a line without a field has its default: that of the declaration, else that of Python', () => {
  expect(read('{}')).toEqual({
    conditions: ['poor'],
    checkpoint_step: -1,
    loss: 'Infinity',
    elapsed_s: 0,
    final: false,
  });
});

test('null is nothing, and no default stands for it', () => {
  expect(read('{"step": null, "loss": null, "metric": null, "elapsed_s": null, "final": null}')).toEqual({});
});

test('what Python writes and no JSON can say is the text of it', () => {
  expect(read('{"loss": NaN, "elapsed_s": -Infinity}')).toMatchObject({ loss: 'NaN', elapsed_s: '-Infinity' });
  expect(read('{"loss": 1e999}')).toMatchObject({ loss: 'Infinity' });
});

test.each([
  ['step', '9223372036854775807', '9223372036854775807'],
  ['step', '-9223372036854775808', '-9223372036854775808'],
  ['step', '5.0', '5'],
  ['step', '-0', '0'],
  ['loss', '0.410', '0.410'],
  ['loss', '7', '7'],
])('%s: %s is stored to the last digit', (field, json, stored) => {
  const of = types(FRAMEWORK);
  const found = of.reader(PRIVACY_DEFAULTS, new Privacy(PRIVACY_DEFAULTS)).read(CHECKPOINT, new Map([[field, json]]));
  expect((found as { fragment: string }).fragment).toContain(`":${stored},`);
});

test.each([
  ['{"step": "notint"}', 'step must be a whole number of 64 bits'],
  ['{"step": 1.5}', 'step must be a whole number of 64 bits'],
  ['{"step": 9223372036854775808}', 'step must be a whole number of 64 bits'],
  ['{"step": Infinity}', 'step must be a whole number of 64 bits'],
  ['{"loss": "0.5"}', 'loss must be a number'],
  ['{"loss": true}', 'loss must be a number'],
  ['{"metric": 4111111111111111}', 'metric must be text'],
  ['{"metric": ["a"]}', 'metric must be text'],
  ['{"final": 1}', 'final must be true or false'],
])('%s is no such event: %s', (line, why) => {
  expect(read(line)).toBe(why);
});

test('a field that is required must be there', () => {
  const of = types('a.B: { fields: { id: { type: str, required: true } } }');
  expect(read('{}', of)).toBe('id is missing');
  expect(read('{"id": null}', of)).toBe('id is missing');
  expect(read('{"id": "x"}', of)).toEqual({ id: 'x' });
});

test('conditions that hold are told, those of the base too', () => {
  const of = types(`
a.Base: { fields: { score: float }, conditions: { poor: score < 0.95 } }
a.Checked: { extends: a.Base, fields: { rows: int }, conditions: { empty: rows = 0 } }`);
  expect(read('{"score": 0.5, "rows": 3}', of)).toMatchObject({ conditions: ['poor'] });
  expect(read('{"score": 0.5, "rows": 0}', of)).toMatchObject({ conditions: ['poor', 'empty'] });
  expect(read('{"score": 0.99, "rows": 3}', of)).not.toHaveProperty('conditions');
});

test('nothing is known of a type that nobody declared', () => {
  const of = types(FRAMEWORK);
  const reader = of.reader(PRIVACY_DEFAULTS, new Privacy(PRIVACY_DEFAULTS));
  expect(reader.read('myframework.Other', new Map())).toBeUndefined();
  expect(reader.read('toString', new Map())).toBeUndefined();
});

test('a rule for a key holds in its column; a number with a rule is an attribute, and no column', () => {
  const of = types(`
a.Login:
  fields: { user: str, age: int, note: any, host: str }
  privacy: { mask: [user, age], drop: [host] }`);
  const options = PRIVACY_DEFAULTS;
  const line = members('{"user": "ada@example.org", "age": 36, "note": {"user": "ada"}, "host": "h"}');
  const found = of.reader(options, new Privacy(options)).read('a.Login', line);
  if (typeof found !== 'object') throw new Error(String(found));
  expect(found.fragment).toBe(',"user":"***","note":"{\\"user\\": \\"***\\"}"');
  expect([...found.taken]).toEqual(['user', 'note', 'host']);
  expect(found.privacy.attribute('age', '36')).toBe('***');
});

test('text that is no Unicode, and names that only look like fields, do no harm', () => {
  expect(read('{"metric": "\\ud800x", "__proto__": {"loss": 3}, "constructor": 1}')).toMatchObject({
    metric: '\ufffdx',
  });
});

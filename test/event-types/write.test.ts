import { expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { readAssignments } from '../../src/event-types/assign.ts';
import { describeTypes, schemasOf } from '../../src/event-types/describe.ts';
import { eventLine, type Base } from '../../src/event-types/write.ts';
import { FRAMEWORK, types } from './parts.ts';

const all = types(FRAMEWORK).types;
const type = all.get('myframework.ModelCheckpoint')!;
const BASE: Base = {
  event_id: 'bdd640fb06671ad11c80317fa3b1799d',
  event_type: type.name,
  event_time: '1771497044.5',
  emit_time: '1771497044.50001',
  session_id: 's1',
  backend: 'steptap',
  task_id: undefined,
  attributes: {},
};

test('a line is what RHAPSODY would write: its keys in its order, its separators, ASCII, Infinity without quotes', () => {
  const line = eventLine(BASE, type, readAssignments(['metric=acé', 'step=7', 'shape:={"a": "\u2028"}'], type));
  expect(line).toBe(
    '{"event_id": "bdd640fb06671ad11c80317fa3b1799d", "event_type": "myframework.ModelCheckpoint", "event_time": 1771497044.5, ' +
      '"emit_time": 1771497044.50001, "session_id": "s1", "backend": "steptap", "task_id": null, "node_id": null, "attributes": {}, ' +
      '"run": "", "step": 7, "loss": Infinity, "metric": "ac\\u00e9", "elapsed_s": 0.0, "final": false, "shape": {"a": "\\u2028"}, ' +
      '"trace_id": null, "span_id": null, "name": "myframework.ModelCheckpoint", "section": "event"}\n',
  );
});

test('JSON that was written over several lines is one line of its event', () => {
  const line = eventLine(BASE, type, readAssignments(['shape:={\n  "a": [1,\r\n 2]\n}\n'], type));
  expect(line.split('\n')).toEqual([expect.stringContaining('"shape": {   "a": [1,  2] }, '), '']);
});

test('an event that nobody declares has what is given, as text or as JSON', () => {
  const fields = readAssignments(['note=7', 'n:=7', 'list:=[1, "x"]', 'loss:=NaN', 'empty='], undefined);
  expect([...fields]).toEqual([
    ['note', '"7"'],
    ['n', '7'],
    ['list', '[1, "x"]'],
    ['loss', 'NaN'],
    ['empty', '""'],
  ]);
});

test.each([
  ['loss=inf', 'Infinity'],
  ['loss=-inf', '-Infinity'],
  ['loss=nan', 'NaN'],
  ['loss=.5', '0.5'],
  ['loss=1e-3', '1e-3'],
  ['step=+007', '7'],
  ['final=true', 'true'],
  ['metric=true', '"true"'],
  ['metric=a=b', '"a=b"'],
])('%s is %s', (given, json) => {
  expect([...readAssignments([given], type).values()]).toEqual([json]);
});

test.each([
  ['stp=7', 'stp: there is no such field of myframework.ModelCheckpoint; did you mean step?'],
  ['step=7.5', 'step=7.5: step must be a whole number of 64 bits'],
  ['step=9223372036854775808', 'step=9223372036854775808: step must be a whole number of 64 bits'],
  ['loss=low', 'loss=low: loss must be a number'],
  ['final=yes', 'final=yes: final must be true or false'],
  ['metric:=7', 'metric:=7: metric must be text'],
  ['shape:={', 'shape:={: what stands behind := must be JSON'],
  ['session_id=x', 'session_id: every event has that; use an option, or another name'],
  ['step', 'step: write key=value, or key:=json'],
])('%s is refused: %s', (given, why) => {
  expect(() => readAssignments([given], type)).toThrow(new UsageError(why));
});

test('what is required has to be given', () => {
  const required = types('a.B: { fields: { id: { type: str, required: true } } }').types.get('a.B');
  expect(() => readAssignments([], required)).toThrow('id is missing: a.B requires it');
});

test('what is declared can be read, and is a JSON Schema', () => {
  expect(describeTypes(all.values())).toContain(
    '| `loss` | float | `Infinity` | `loss` | Loss on the validation set |\n',
  );
  expect(describeTypes(all.values())).toContain('- condition `poor`: `loss > 0.5`\n');
  expect(schemasOf(all.values())[type.name]).toMatchObject({
    title: type.name,
    properties: {
      event_type: { const: type.name },
      step: { type: ['integer', 'null'], default: -1 },
      elapsed_s: { type: ['number', 'null'], description: 'In s.' },
    },
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPipeline } from '../../src/config/load.ts';
import { UsageError } from '../../src/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'steptap-types-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** What is said of a section `event_types`; its file is called `p`. */
function wrong(types: string): string {
  const path = join(directory, 'p');
  writeFileSync(path, `event_types:\n  ${types.trim().replaceAll('\n', '\n  ')}\n`);
  try {
    loadPipeline([path], {});
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.replaceAll(directory, '').replaceAll('/p:', 'p:').replaceAll('event_types.', '');
  }
  return '';
}

/** Each is said of the whole section. */
const WRONG: readonly (readonly [what: string, types: string, said: string])[] = [
  [
    'a name without a namespace',
    'Checkpoint: {}',
    'p:2:3: Checkpoint: needs a namespace: write myframework.Checkpoint, with letters, digits, - and _',
  ],
  [
    'an event that is built in',
    'asyncflow.TaskResolved: {}',
    'p:2:3: asyncflow.TaskResolved: is built in: leave it out',
  ],
  [
    'an option that is none',
    'a.B: { field: { x: int } }',
    'p:2:10: a.B.field: there is no such option; did you mean fields?',
  ],
  [
    'a type that is none',
    'a.B: { fields: { x: flat } }',
    'p:2:23: a.B.fields.x: "flat" is no type of a field; did you mean float?',
  ],
  [
    'a field that every event has',
    'a.B: { fields: { task_id: str } }',
    'p:2:20: a.B.fields.task_id: is a field of every event already: give it another name',
  ],
  [
    'a field that the writer would overwrite',
    'a.B: { fields: { section: str } }',
    'p:2:20: a.B.fields.section: is overwritten by the writer of the line: give it another name',
  ],
  [
    'a default of another type',
    'a.B: { fields: { x: { type: int, default: none } } }',
    'p:2:45: a.B.fields.x.default: must be a whole number of 64 bits',
  ],
  [
    'a default of what is required',
    'a.B: { fields: { x: { type: int, default: 1, required: true } } }',
    'p:2:45: a.B.fields.x.default: stands beside required; leave one out',
  ],
  [
    'a column that all events have',
    'my.ModelCheckpoint: { fields: { step: int } }',
    'p:2:35: my.ModelCheckpoint.fields.step: step is a column of all events; name another, as in `column: checkpoint_step`',
  ],
  [
    'a column that is named and taken',
    'a.B: { fields: { x: { type: int, column: message } } }',
    'p:2:44: a.B.fields.x.column: message is a column of all events; name another, as in `column: b_x`',
  ],
  [
    'a column of two types',
    'a.B: { fields: { x: int } }\na.C: { fields: { x: str } }',
    'p:3:20: a.C.fields.x: x is the column of a.B, of type int; name another, as in `column: c_x`',
  ],
  [
    'two fields in one column',
    'a.B: { fields: { x: int, y: { type: int, column: x } } }',
    'p:2:52: a.B.fields.y.column: x is the column of x already; name another, as in `column: b_y`',
  ],
  [
    'a field in a column of the base',
    'a.B: { fields: { x: int } }\na.C: { extends: a.B, fields: { y: { type: int, column: x } } }',
    'p:3:58: a.C.fields.y.column: x is the column of x already; name another, as in `column: c_y`',
  ],
  [
    'a field in a column of the base, which comes later',
    'a.C: { extends: a.B, fields: { y: { type: int, column: x } } }\na.B: { fields: { x: int } }',
    'p:2:58: a.C.fields.y.column: x is the column of x already; name another, as in `column: c_y`',
  ],
  [
    'a base that is none',
    'a.B: { extends: a.Bse }\na.Base: {}',
    'p:2:19: a.B.extends: there is no type a.Bse; did you mean a.Base?',
  ],
  ['a type that extends itself', 'a.B: { extends: a.B }', 'p:2:19: a.B.extends: is the type itself'],
  [
    'types that extend each other',
    'a.B: { extends: a.C }\na.C: { extends: a.B }',
    'p:3:19: a.C.extends: a.B extends this type already',
  ],
  [
    'a field of the base, once more',
    'a.B: { fields: { x: int } }\na.C: { extends: a.B, fields: { x: int } }',
    'p:3:34: a.C.fields.x: is a field of a.B already: leave it out',
  ],
  [
    'a condition that cannot be read',
    "a.B: { fields: { x: int }, conditions: { big: 'x > ' } }",
    'p:2:49: a.B.conditions.big: column 5: expected a value, found the end',
  ],
  [
    'a condition on no field of it',
    'a.B: { fields: { score: float }, conditions: { poor: scor < 1 } }',
    'p:2:56: a.B.conditions.poor: there is no field scor; did you mean score?',
  ],
  [
    'a histogram of no field',
    'a.B: { fields: { took_s: float }, histogram: { field: took } }',
    'p:2:57: a.B.histogram.field: there is no field took; did you mean took_s?',
  ],
  [
    'a histogram of text',
    'a.B: { fields: { x: str }, histogram: { field: x, buckets: [1] } }',
    'p:2:50: a.B.histogram.field: x is no number; give an int or a float',
  ],
  [
    'a histogram of what is no time, without buckets',
    'a.B: { fields: { size: { type: int, unit: bytes } }, histogram: { field: size } }',
    'p:2:67: a.B.histogram: needs buckets: those of the steps are seconds, and size is not',
  ],
  [
    'buckets that are not ascending',
    'a.B: { fields: { x: int }, histogram: { field: x, buckets: [2, 1] } }',
    'p:2:62: a.B.histogram.buckets: must be ascending, each larger than the last',
  ],
  [
    'a label that is no field',
    'a.B: { fields: { took_s: float, model: str }, histogram: { field: took_s, labels: [modle] } }',
    'p:2:86: a.B.histogram.labels.0: there is no field modle; did you mean model?',
  ],
  [
    'a label with any values',
    'a.B: { fields: { took_s: float }, histogram: { field: took_s, labels: [took_s] } }',
    'p:2:74: a.B.histogram.labels.0: took_s may have any value; give a str, int or bool',
  ],
  [
    'a label that Prometheus has for itself',
    'a.B: { fields: { took_s: float, __name__: { type: str, column: n } }, histogram: { field: took_s, labels: [__name__] } }',
    "p:2:110: a.B.histogram.labels.0: __name__: names that begin with __ are Prometheus' own",
  ],
  [
    'histograms of one name',
    'a.b_c: { fields: { d_s: float }, histogram: { field: d_s } }\na.b.c: { fields: { d_s: float }, histogram: { field: d_s } }',
    'p:3:47: a.b.c.histogram: would be steptap_event_a_b_c_d_seconds, as that of a.b_c is; rename one',
  ],
];

for (const [what, yaml, said] of WRONG) {
  test(`${what}: ${said}`, () => {
    expect(wrong(yaml)).toBe(said);
  });
}

test('all that is wrong is said at once', () => {
  const yaml = 'B: { extends: a.X }\na.C: { fields: { x: in, node_id: int, y: { type: str, default: 1 } } }';
  expect(wrong(yaml).split('\n')).toEqual([
    'p:2:3: B: needs a namespace: write myframework.Checkpoint, with letters, digits, - and _',
    'p:2:17: B.extends: there is no type a.X; did you mean a.C?',
    'p:3:23: a.C.fields.x: "in" is no type of a field; did you mean int?',
    'p:3:27: a.C.fields.node_id: is a field of every event already: give it another name',
    'p:3:66: a.C.fields.y.default: must be text',
  ]);
});

test('types that share a field of one type share its column', () => {
  expect(wrong('a.B: { fields: { x: int } }\na.C: { fields: { x: int } }')).toBe('');
});

test('what becomes of unknown events is one of three', () => {
  const path = join(directory, 'p');
  writeFileSync(path, 'unknown_events: refuse\n');
  expect(() => loadPipeline([path], {})).toThrow(/p:1:17: unknown_events: "refuse" is no choice/);
});

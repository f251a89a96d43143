import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FIELDS, fieldsOf } from '../../../src/fields.ts';
import { decode, type Fields } from '../../support/decode.ts';
import { EXPECTED } from './expected.ts';

const bytes = readFileSync('test/fixtures/sample-session.telemetry.jsonl');
const lines = bytes.toString('utf8').trimEnd().split('\n');
const session = decode(bytes);

/** The row of each line, by what tells lines apart: an event's id, a span's, the time of a snapshot. */
const rows = new Map(session.rows.map(({ fields }) => [nameOf(fields), fields]));

function nameOf(fields: Fields): unknown {
  const { event_id } = fields['attributes'] as Fields;
  return event_id ?? (fields['event'] === 'span' ? fields['span_id'] : fields['ts']);
}

/** The row of a line as it is in the file. */
function rowOf(number: number): Fields | undefined {
  const { event_id, span_id, section } = JSON.parse(lines[number - 1]!.replace('Infinity', 'null')) as Fields;
  if (section === 'metric')
    return rows.get(number < 50 ? '2026-06-16T12:30:00.425000Z' : '2026-06-16T12:30:01.126000Z');
  return rows.get(event_id ?? String(span_id).slice(2).padStart(16, '0'));
}

test('Every line of a session is an event, a resource, or a span that was there before', () => {
  expect(lines).toHaveLength(75);
  expect(session.lines).toBe(75);
  expect(session.events).toHaveLength(69);
  expect(session.resources).toHaveLength(4);
  expect(session.repeated).toBe(2);
  expect([session.rejections, session.logs, session.steps]).toEqual([[], [], []]);
  expect(rows.size).toBe(73);
});

test.each([...EXPECTED.keys()])('Line %i is what the format says, and nothing else', (number) => {
  expect(rowOf(number)).toEqual(EXPECTED.get(number));
});

/** Of the lines of one section, in their order. */
const COUNTS = {
  SessionStarted: 1,
  SessionEnded: 1,
  ResourceUpdate: 4,
  TaskCreated: 9,
  'asyncflow.TaskResolved': 9,
  TaskQueued: 8,
  TaskSubmitted: 8,
  TaskStarted: 8,
  TaskCompleted: 6,
  TaskFailed: 1,
  TaskCanceled: 1,
  'myframework.DataQualityChecked': 1,
  'myframework.ModelCheckpoint': 1,
  'experiment.Result': 1,
  metrics: 2,
  span: 12,
};

test('The session has as many events of each type as the file has lines of it', () => {
  const counts: Record<string, number> = {};
  for (const { fields } of session.rows) counts[String(fields['event'])] = (counts[String(fields['event'])] ?? 0) + 1;
  expect(counts).toEqual(COUNTS);
});

test('Every event has the time, the session, the task, the span and the workflow of its line', () => {
  for (const line of lines) {
    const said = JSON.parse(line.replace('Infinity', 'null')) as Fields;
    if (said['section'] !== 'event') continue;
    const attributes = said['attributes'] as Fields;
    const custom = !/^(asyncflow\.)?(Task|Session|Resource)/.test(String(said['event_type']));
    const row = rows.get(said['event_id'])!;
    const fraction = String(said['event_time']).split('.')[1] ?? '';
    expect(row).toMatchObject({ event: said['event_type'], session_id: said['session_id'] });
    expect(String(row['ts']).slice(20, 26)).toBe(fraction.padEnd(6, '0'));
    expect(row['task_id']).toBe(said['task_id'] ?? undefined);
    expect(row['workflow_id']).toBe(attributes['asyncflow.workflow_id']);
    expect(row['task']).toBe(custom ? undefined : attributes['executable']);
    const span = said['span_id'];
    expect(row['span_id']).toBe(typeof span === 'string' ? span.slice(2).padStart(16, '0') : undefined);
  }
});

test('A row has only fields of its table, in the one order, and its labels and duration stand beside it', () => {
  const order = FIELDS.map(({ name }) => name);
  const labels = ['dialect', 'kind', 'step', 'status', 'project', 'domain', 'task', 'workflow'] as const;
  for (const { table, fields, tuple, duration } of session.rows) {
    if (table === 'rejections') throw new Error('nothing is rejected here');
    const names = Object.keys(fields);
    expect(fieldsOf(table).map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    expect(names).toEqual(order.filter((name) => names.includes(name)));
    for (const value of Object.values(fields)) expect(['', null]).not.toContain(value);
    expect(labels.map((label) => tuple[label])).toEqual(labels.map((label) => fields[label] ?? ''));
    expect(duration).toBe(fields['wall_time_s'] ?? Number.NaN);
  }
});

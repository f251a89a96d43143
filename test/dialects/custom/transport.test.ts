import { expect, test } from 'vitest';
import { epoch, EPOCH, read } from './events.ts';

const AT = '2026-02-19T10:30:44.189512345Z';
const POD = { namespace: 'ns', pod: 'a7hzqtz5cm6k2dnm7k2w-n0-2', container: 'main' };
const kubernetes = { namespace_name: POD.namespace, pod_name: POD.pod, container_name: POD.container };
const line = epoch({ at: undefined, model: 'm' });
const half = line.length >> 1;
const docker = (log: string): string => JSON.stringify({ log, stream: 'stderr', time: AT });

test.each<[string, string, object]>([
  ['CRI', `${AT} stderr F ${line}`, { stream: 'stderr' }],
  [
    'CRI, cut in two',
    `${AT} stderr P ${line.slice(0, half)}\n${AT} stderr F ${line.slice(half)}`,
    { stream: 'stderr', lines: 2 },
  ],
  [
    'kubectl --prefix --timestamps',
    `[pod/${POD.pod}/main] ${AT} ${line}`,
    { pod: POD.pod, execution_id: 'a7hzqtz5cm6k2dnm7k2w', attempt: 2 },
  ],
  ["Docker's file", docker(`${line}\n`), { stream: 'stderr' }],
  [
    "Docker's file, cut in two",
    `${docker(line.slice(0, half))}\n${docker(`${line.slice(half)}\n`)}`,
    { stream: 'stderr', lines: 2 },
  ],
  [
    'Fluent Bit',
    JSON.stringify({ date: AT, log: line, stream: 'stderr', kubernetes }),
    { ...POD, stream: 'stderr', attempt: 2 },
  ],
  [
    'Fluent Bit with Merge_Log',
    JSON.stringify({ date: AT, ...(JSON.parse(line) as object), stream: 'stderr', kubernetes }),
    { ...POD, stream: 'stderr' },
  ],
])('An event in a line of %s has the time and the pod that stand beside it', (_, input, expected) => {
  const { rows } = read(`${input}\n`);
  expect(rows).toMatchObject([
    {
      table: 'steps',
      duration: 1.001,
      fields: { ts: '2026-02-19T10:30:44.189512Z', step: 'epoch', project: 'recommender', ...expected },
    },
  ]);
  expect(rows[0]?.fields['attributes']).toEqual({ v: '1', model: 'm' });
  expect(rows[0]?.fields['provenance']).toMatch(/^ts:runtime/);
});

test('The keys of a merged record are not those of the line, but for those that the event names', () => {
  const record = { date: AT, time: 'own', event: 'epoch_done', stream: 'stderr', kubernetes, x: 1 };
  const schema = { additionalProperties: false, properties: { event: {}, x: {}, time: {} } };
  const options = { match: { event: 'epoch_done' }, schema, fields: { task: 'time' } };
  expect(read(JSON.stringify(record), options).events).toMatchObject([{ task: 'own', attributes: { x: '1' } }]);
  const { rejections } = read(JSON.stringify(record), {
    ...options,
    fields: {},
    schema: { ...schema, maxProperties: 1 },
  });
  expect(rejections).toMatchObject([{ detail: 'epoch: the line must NOT have more than 1 properties' }]);
});

test('Every line is one event or one rejection, in a mix of all of them', () => {
  const text = [
    `${AT} stderr F ${line}`,
    docker(`${line}\n`),
    line,
    `${AT} stdout F ${line.slice(0, -2)}`,
    'hello',
  ].join('\n');
  const { steps, rejections, logs } = read(text, EPOCH);
  expect([steps.length, rejections.length, logs.length]).toEqual([3, 1, 1]);
});

import { expect, test } from 'vitest';
import { explain } from '../../src/explain/collect.ts';
import { ownOrigin } from '../../src/kubernetes/own.ts';
import { OPTIONS, StillClock, type How } from '../support/decode.ts';

const EXEC = 'a7hzqtz5cm6k2dnm7k2w';
const LONG = 'nightly-retraining-1f0c3b7a9d2e4f60818';

/** Where each field of the one event comes from, in words. */
function sources(line: string, how: How = {}): Record<string, string> {
  const [explained] = explain(Buffer.from(`${line}\n`), { ...OPTIONS, ...how }, new StillClock());
  return Object.fromEntries(explained!.fields.map(({ name, from }) => [name, from]));
}

const record = (kubernetes: Record<string, unknown>): string =>
  JSON.stringify({ date: 1771497044.189512, log: 'hello', kubernetes });

test('It says which fields come from labels, from their spelling, and from the hash that is the name of the pod', () => {
  const labels = { 'execution-id': LONG, 'node-id': 'train-the-model', 'task-name': 'train-fit', app: 'trainer' };
  expect(sources(record({ pod_name: 'fl2f3cxi', namespace_name: 'ml-production', labels }))).toMatchObject({
    execution_id: 'pod label',
    task: "pod label's spelling",
    node_id: 'pod label',
    attempt: 'hash in the pod name',
    project: 'namespace',
    task_project: "the execution's",
    app: 'Fluent Bit, pod',
    pod: 'Fluent Bit, pod',
  });
});

test("It says what is known of steptap's own pod, and of its container", () => {
  const own = ownOrigin({ POD_NAME: `${EXEC}-n0-0`, NODE_NAME: 'node-1', FLYTE_ATTEMPT_NUMBER: '1' });
  expect(sources('hello', { own })).toMatchObject({
    pod: "steptap's own pod",
    node: "steptap's own pod",
    execution_id: 'pod name',
    attempt: 'container variable',
  });
  expect(sources('[pod/other/main] hello', { own })).toMatchObject({
    pod: 'kubectl prefix',
    container: 'kubectl prefix',
  });
});

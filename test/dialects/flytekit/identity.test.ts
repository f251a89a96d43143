import { describe, expect, test } from 'vitest';
import { executionName } from '../../../src/dialects/flytekit/identity.ts';
import { decode, stepLine, type Fields, type How } from '../../support/decode.ts';

const EXEC = 'a7hzqtz5cm6k2dnm7k2w';
const NOBODY = { execution_id: '"local"', task_name: '"local"', project: '"local"', domain: '"local"' };

function step(line: string, how: How = {}): Fields {
  const [found] = decode(line, how).steps;
  if (found === undefined) throw new Error('no step');
  return found;
}

function agent(line: string, kubernetes: Record<string, unknown>): string {
  return `${line.slice(0, -1)}, "kubernetes": ${JSON.stringify(kubernetes)}}`;
}

describe('The name of an execution', () => {
  test.each([
    ['local', ''],
    ['ex:local:local:local', ''],
    ['', ''],
    ['my-run', 'my-run'],
    ['Flyte Serialized object (WorkflowExecutionIdentifier):\n  project: ml\n  domain: production\n  name: abc', 'abc'],
    ['Flyte Serialized object (WorkflowExecutionIdentifier):\n  name: abc\n  org: x', 'abc'],
  ])('%j is %j', (written, name) => {
    expect(executionName(written)).toBe(name);
  });
});

describe('Who a step is about', () => {
  test('A step outside of a task is nobody, until its pod says more', () => {
    const bare = step(stepLine(NOBODY));
    for (const name of ['execution_id', 'task', 'project', 'domain', 'task_project', 'provenance'])
      expect(bare).not.toHaveProperty(name);
    expect(step(`[pod/${EXEC}-n0-0-dn7-1/main] ${stepLine(NOBODY)}`)).toMatchObject({
      execution_id: EXEC,
      node_id: 'n0-0-dn7',
      attempt: 1,
      provenance: 'execution_id:pod,node_id:pod,attempt:pod',
    });
  });

  test('A pod whose name is a hash says nothing, its labels do', () => {
    const labels = {
      'execution-id': EXEC,
      'node-id': 'n3',
      'workflow-name': 'w',
      project: 'p',
      domain: 'd',
      'task-name': 'workflows-train-fit',
    };
    const line = agent(stepLine(NOBODY), { pod_name: 'fpu5v4zq', namespace_name: 'p-d', labels });
    const found = step(line);
    expect(found).toMatchObject({
      execution_id: EXEC,
      node_id: 'n3',
      workflow: 'w',
      project: 'p',
      domain: 'd',
      task: 'workflows-train-fit',
    });
    expect(found).not.toHaveProperty('attempt');
    expect(found['provenance']).toBe(
      'execution_id:label,workflow:label~,task:label~,node_id:label,project:label,domain:label,task_project:execution,task_domain:execution',
    );
  });

  test('A dotted task of the line is never overwritten by a label', () => {
    const line = agent(stepLine(), { pod_name: 'p', labels: { 'task-name': 'workflows-train-fit' } });
    expect(step(line)).toMatchObject({ task: 'workflows.train.fit' });
  });

  test('Project and domain of the line are those of the task; of the execution when nothing else says them', () => {
    const labels = { project: 'caller', domain: 'staging' };
    expect(step(agent(stepLine(), { pod_name: 'p', labels }))).toMatchObject({
      project: 'caller',
      domain: 'staging',
      task_project: 'ml',
      task_domain: 'production',
    });
    expect(step(stepLine())).toMatchObject({
      project: 'ml',
      domain: 'production',
      task_project: 'ml',
      task_domain: 'production',
    });
  });

  test('An execution with a name of its own is found in the name of its pod', () => {
    const line = stepLine({ execution_id: '"my-run-1"' });
    expect(step(`[pod/my-run-1-n2-0/main] ${line}`)).toMatchObject({
      execution_id: 'my-run-1',
      node_id: 'n2',
      attempt: 0,
    });
    expect(step(`[pod/other-n2-0/main] ${line}`)).not.toHaveProperty('node_id');
  });

  test('What is set by hand wins over all', () => {
    const constants = {
      project: 'mine',
      execution_id: 'fixed',
      node_id: 'n9',
      workflow: 'w',
      task_version: 'v1',
      namespace: 'ns',
      app: 'a',
    };
    const found = step(`[pod/${EXEC}-n0-0/main] ${stepLine()}`, { constants });
    expect(found).toMatchObject(constants);
    expect(found['provenance']).toContain('execution_id:set');
  });

  test('A URI says what nothing else does', () => {
    const uri = `s3://m/metadata/propeller/ml-production-${EXEC}/n0/data/4`;
    expect(step(stepLine({ ...NOBODY, step: `"Upload data to ${uri}"` }))).toMatchObject({
      execution_id: EXEC,
      node_id: 'n0',
      attempt: 4,
      project: 'ml',
      domain: 'production',
      provenance:
        'execution_id:uri,node_id:uri,attempt:uri,project:uri,domain:uri,task_project:execution,task_domain:execution',
    });
  });

  test('An attempt that no column holds is left out', () => {
    expect(step(`[pod/${EXEC}-n0-70000/main] ${stepLine()}`)).not.toHaveProperty('attempt');
  });

  test('Own keys of another type are extras', () => {
    expect(step(stepLine({ execution_id: '{"name": "x"}', project: '5' }))).toMatchObject({
      attributes: { execution_id: '{"name": "x"}', project: '5' },
      domain: 'production',
    });
  });
});

describe('What is no step', () => {
  test.each([
    ['no step', { step: '' }, /required property 'step'/],
    ['an empty one', { step: '""' }, /step must NOT have fewer than 1 characters/],
    ['a name that is no text', { step: '5' }, /step must be string/],
    ['no duration', { wall_time_s: '' }, /required property 'wall_time_s'/],
    ['a duration in words', { wall_time_s: '"1.2"' }, /wall_time_s must be number/],
    ['a negative one', { process_time_s: '-1' }, /process_time_s must be >= 0/],
    ['a duration that is none', { wall_time_s: 'NaN' }, /wall_time_s must be number/],
    ['an endless one', { wall_time_s: 'Infinity' }, /wall_time_s must be number/],
    ['another status', { status: '"ok"' }, /status must be equal to one of the allowed values: success, error/],
    ['an error without a class', { status: '"error"' }, /required property 'error_type'/],
    ['an error with an empty one', { status: '"error"', error_type: '""' }, /error_type must NOT have fewer/],
  ])('%s: it says why', (_, values, detail) => {
    const { rejections, steps } = decode(stepLine(values));
    expect(steps).toEqual([]);
    expect(rejections).toMatchObject([{ reason: 'schema', dialect: 'flytekit', lines: 1, raw: stepLine(values) }]);
    expect(rejections[0]?.['detail']).toMatch(detail);
  });

  test('An extra may take the place of the event: then it is a log of its own kind', () => {
    expect(decode(stepLine({ event: '"my_step"' })).logs).toMatchObject([
      { logger: 'flytekit.telemetry', attributes: { event: 'my_step' } },
    ]);
  });

  test('CPU time may be more than the time on the wall, and zero is a time', () => {
    expect(step(stepLine({ wall_time_s: '0.0', process_time_s: '12.5' }))).toMatchObject({
      wall_time_s: 0,
      process_time_s: 12.5,
    });
  });

  test('An error_type beside a success is an extra', () => {
    const found = step(stepLine({ error_type: '"E"' }));
    expect(found).not.toHaveProperty('error_type');
    expect(found).toMatchObject({ attributes: { error_type: 'E' } });
  });
});

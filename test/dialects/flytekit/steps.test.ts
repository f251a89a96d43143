import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLYTEKIT_STEPS, nameStep } from '../../../src/dialects/flytekit/steps.ts';
import { mineUri as mine, type UriIdentity } from '../../../src/dialects/flytekit/uri.ts';
import { KUBERNETES_DEFAULTS } from '../../../src/kubernetes/rules.ts';

describe('The name of a step', () => {
  /** Every step that flytekit times today: as written, and normalised. */
  test.each([
    ['Download distribution', 'download_distribution'],
    ['load_task', 'load_task'],
    ['Load task', 'load_task_module'],
    ['Load map task', 'load_map_task'],
    ['Load airflow task', 'load_airflow_task'],
    ['download_inputs', 'download_inputs'],
    ['deserialize_inputs', 'deserialize_inputs'],
    ['task_dispatch_execute', 'task_dispatch_execute'],
    ['pre_execute', 'pre_execute'],
    ['Translate literal to python value', 'translate_literal_to_python_value'],
    ['AsyncTranslate literal to python value', 'async_translate_literal_to_python_value'],
    ['Execute user level code', 'execute_user_code'],
    ['post_execute', 'post_execute'],
    ['dispatch execute', 'dispatch_execute'],
    ['Translate the output to literals', 'translate_output_to_literals'],
    ['write_decks', 'write_decks'],
    ['output_offloading', 'output_offloading'],
    ['upload_outputs', 'upload_outputs'],
    ['output_deck', 'output_deck'],
  ])('%s is %s', (raw, step) => {
    expect(nameStep(raw)).toEqual({ step, target: '' });
    expect(FLYTEKIT_STEPS.has(step)).toBe(true);
  });

  test.each([
    ['Download data to local from s3://b/x y', 'download_data', 's3://b/x y'],
    ['Upload data to /tmp/out', 'upload_data', '/tmp/out'],
    ['Upload data to ', 'upload_data', ''],
    ['batch 12 of 345', 'batch <n> of <n>', ''],
    ['fit 6f1d0e2a-0000-4000-8000-123456789abc', 'fit <id>', ''],
    ['run a7hzqtz5cm6k2dnm7k2w', 'run <id>', ''],
    ['commit deadbeef01', 'commit <id>', ''],
    ['deadbeef', 'deadbeef', ''],
    ['facade', 'facade', ''],
    ['read s3://b/a.parquet now', 'read now', 's3://b/a.parquet'],
    ['s3://b/a.parquet', '<uri>', 's3://b/a.parquet'],
    ['two\n  lines\tof it', 'two lines of it', ''],
    ['   ', 'unnamed', ''],
    ['größe 5', 'größe <n>', ''],
  ])('%j is %s', (raw, step, target) => {
    expect(nameStep(raw)).toEqual({ step, target });
  });

  test('of a user is short and on one line, whatever it is, and the same when it is read again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (raw) => {
        const { step } = nameStep(raw);
        expect(step.length).toBeLessThanOrEqual(128);
        expect(step).not.toBe('');
        expect(step).not.toMatch(/[\n\r\t]/);
        expect(nameStep(raw)).toEqual({ step, target: nameStep(raw).target });
      }),
    );
  });

  test('Ten thousand names that differ in their numbers are few', () => {
    const steps = Array.from({ length: 10_000 }, (_, n) =>
      nameStep(`epoch ${n} of shard-${n % 7} ${(n * 2_654_435_761).toString(16).padStart(9, '0')}`),
    );
    expect(new Set(steps.map(({ step }) => step)).size).toBeLessThan(10);
  });
});

describe('What a URI says of its execution', () => {
  const mineUri = (uri: string, execution: string, domain: string): UriIdentity =>
    mine(uri, execution, domain, KUBERNETES_DEFAULTS.domains);
  const META = 's3://flyte-meta/metadata/propeller/';
  const NONE = { project: '', domain: '', execution_id: '', node_id: '', attempt: undefined };
  const EXEC = 'a7hzqtz5cm6k2dnm7k2w';

  test.each([
    [`${META}ml-production-${EXEC}/n0/data/inputs.pb`, EXEC, 'production', { node_id: 'n0' }],
    [`${META}ml-production-${EXEC}/n0/data/2`, EXEC, '', { node_id: 'n0', attempt: 2 }],
    [`${META}ml-production-${EXEC}/n0/data/2/outputs.pb`, '', '', { node_id: 'n0', attempt: 2 }],
    [`${META}ml-production-${EXEC}/n0/sub/n1/data/0`, EXEC, '', { node_id: 'n1', attempt: 0 }],
  ])('%s', (uri, execution, domain, expected) => {
    expect(mineUri(uri, execution, domain)).toEqual({
      ...NONE,
      project: 'ml',
      domain: 'production',
      execution_id: EXEC,
      ...expected,
    });
  });

  test('Projects, domains and executions may have dashes in them', () => {
    expect(mineUri(`${META}my-ml-eu-west-my-run-1/n0/data/0`, 'my-run-1', 'eu-west')).toMatchObject({
      project: 'my-ml',
      domain: 'eu-west',
      execution_id: 'my-run-1',
    });
    expect(mineUri(`${META}my-ml-staging-my-run-1/n0/data/0`, '', '')).toMatchObject({
      project: 'my-ml',
      domain: 'staging',
      execution_id: 'my-run-1',
    });
  });

  test('Raw output is under the name of its pod', () => {
    expect(mineUri(`s3://flyte-raw/oz/${EXEC}-n0-3/6f.parquet`, EXEC, '')).toEqual({
      ...NONE,
      node_id: 'n0',
      attempt: 3,
    });
    expect(mineUri(`s3://flyte-raw/oz/${EXEC}-n0-0-dn7-1`, EXEC, '')).toEqual({
      ...NONE,
      node_id: 'n0-0-dn7',
      attempt: 1,
    });
  });

  test.each(['s3://b/x', '', `${META}ml-production-x`, `${META}/data/`, `s3://flyte-raw/oz/${EXEC}-n0-0/x`])(
    'Nothing where it says nothing: %s',
    (uri) => {
      expect(mineUri(uri, '', '')).toEqual(NONE);
    },
  );

  test('Any text is read without harm', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        const { attempt } = mineUri(`${META}${a}/${b}/data/${c}`, b, c);
        expect(attempt === undefined || Number.isInteger(attempt)).toBe(true);
      }),
    );
  });
});

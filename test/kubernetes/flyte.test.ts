import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { divideNamespace, labelSpelling } from '../../src/kubernetes/flyte.ts';
import { labelRules } from '../../src/kubernetes/rules.ts';
import { NOWHERE, type OriginFields } from '../../src/origin.ts';
import { decode, stepLine, type Fields, type How } from '../support/decode.ts';

const EXEC = 'a7hzqtz5cm6k2dnm7k2w';
const RUN = 'rqx7h5d2k9lm4n8vbtcw';
const LONG = 'nightly-retraining-1f0c3b7a9d2e4f60818';
const NOBODY = { execution_id: '"local"', task_name: '"local"', project: '"local"', domain: '"local"' };

interface Known {
  readonly labels?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly owner?: readonly [string, string];
}

function origin(known: Known & Partial<Pick<OriginFields, 'pod' | 'namespace' | 'container'>>): OriginFields {
  const { labels = {}, env = {}, owner, ...place } = known;
  return {
    ...NOWHERE,
    ...place,
    labels: new Map(Object.entries(labels)),
    env: new Map(Object.entries(env)),
    owner: owner && { kind: owner[0], name: owner[1] },
    k8s_enriched: true,
  };
}

/** A step on both paths, and a log line: one identity, whoever reads it. */
function step(values: Readonly<Record<string, string>>, from: OriginFields, how: How = {}): Fields {
  const line = stepLine(values);
  const [found] = decode(line, { ...how, origin: from }).steps;
  expect(decode(line, { ...how, origin: from, fast: false }).steps).toEqual([found]);
  return found!;
}

function log(from: OriginFields): Fields {
  return decode('hello\n', { origin: from }).logs[0]!;
}

/** What a field became, and who said it. */
function told(found: Fields, ...fields: string[]): unknown[] {
  const given = new Map(
    ((found['provenance'] ?? '') as string).split(',').map((each) => each.split(':') as [string, string]),
  );
  return fields.flatMap((field) => [found[field], given.get(field)]);
}

const V1 = {
  'execution-id': EXEC,
  project: 'ml',
  domain: 'production',
  'workflow-name': 'workflows-train-pipeline',
  'node-id': 'n0',
  'task-name': 'workflows-train-fit',
  'shard-key': '10',
  interruptible: 'false',
};
const V2 = {
  run: RUN,
  action: 'a0',
  attempt: '2',
  'task-name': 'workflows.train.fit',
  project: 'ml',
  domain: 'production',
  organization: 'flyte',
};
const ENV = {
  FLYTE_INTERNAL_EXECUTION_ID: EXEC,
  FLYTE_INTERNAL_EXECUTION_PROJECT: 'ml',
  FLYTE_INTERNAL_EXECUTION_DOMAIN: 'production',
  FLYTE_INTERNAL_EXECUTION_WORKFLOW: 'ml:production:workflows.train.pipeline',
  FLYTE_ATTEMPT_NUMBER: '1',
  FLYTE_INTERNAL_TASK_PROJECT: 'shared',
  FLYTE_INTERNAL_TASK_DOMAIN: 'staging',
  FLYTE_INTERNAL_TASK_NAME: 'workflows.train.fit',
  FLYTE_INTERNAL_TASK_VERSION: 'v7',
};

describe('execution_id', () => {
  const all = origin({
    pod: 'f1acbcb2b8146415ea8c-n0-0',
    labels: V1,
    env: { _F_NM: 'env' },
    owner: ['flyteworkflow', 'owner'],
  });

  test.each<[string, OriginFields, unknown[]]>([
    ['a label', all, [EXEC, 'label']],
    ['the owner, without a label', { ...all, labels: new Map() }, ['owner', 'owner']],
    ['a variable, without an owner', { ...all, labels: new Map(), owner: undefined }, ['env', 'env']],
    [
      'the name of the pod',
      { ...all, labels: new Map(), owner: undefined, env: new Map() },
      ['f1acbcb2b8146415ea8c', 'pod'],
    ],
    ['a label of Flyte 2', origin({ labels: V2 }), [RUN, 'label']],
    [
      'the label of its resource',
      origin({ labels: { 'flyte.org/run': RUN, 'flyte.org/action': 'a1' } }),
      [RUN, 'label'],
    ],
    ['the TaskAction that owns the pod', origin({ owner: ['TaskAction', `${RUN}-a0`] }), [RUN, 'owner']],
    ['a variable of Flyte 2', origin({ env: { RUN_NAME: RUN, ACTION_NAME: 'a0' } }), [RUN, 'env']],
  ])('is said by %s', (_, from, said) => {
    expect(told(step(NOBODY, from), 'execution_id')).toEqual(said);
    expect(told(log(from), 'execution_id')).toEqual(said);
  });

  test('The line comes first, but not when it says `local`', () => {
    expect(told(step({ execution_id: '"own"' }, all), 'execution_id')).toEqual(['own', undefined]);
    expect(told(step(NOBODY, all), 'execution_id')).toEqual([EXEC, 'label']);
  });

  test('A URI says it when nothing else does', () => {
    const uri = `s3://m/metadata/propeller/ml-production-${EXEC}/n0/data/4`;
    const found = step({ ...NOBODY, step: `"Upload data to ${uri}"` }, origin({ pod: 'fpu5v4zq' }));
    expect(told(found, 'execution_id', 'attempt')).toEqual([EXEC, 'uri', 4, 'uri']);
  });

  test.each([
    ['a label that `kubectl run` sets', { labels: { run: 'nginx' } }],
    ['a Deployment', { owner: ['Deployment', 'web'] as const, pod: 'web-7d4b9c6f5d-x2x9z' }],
    ['a StatefulSet', { owner: ['StatefulSet', 'web'] as const, pod: 'web-0', namespace: 'shop-production' }],
  ])('%s is no execution, and the namespace no project', (_, known) => {
    const found = log(origin(known));
    for (const field of ['execution_id', 'node_id', 'attempt', 'project', 'domain'])
      expect(found).not.toHaveProperty(field);
  });
});

describe('project and domain of the execution, against those of the task', () => {
  test.each<[string, OriginFields, unknown[]]>([
    [
      'labels',
      origin({ labels: V1, env: { ...ENV, FLYTE_INTERNAL_EXECUTION_PROJECT: 'x' } }),
      ['ml', 'label', 'production', 'label'],
    ],
    [
      'labels of Flyte 2',
      origin({ labels: { 'flyte.org/run': RUN, 'flyte.org/project': 'ml', 'flyte.org/domain': 'production' } }),
      ['ml', 'label', 'production', 'label'],
    ],
    ['variables', origin({ env: ENV }), ['ml', 'env', 'production', 'env']],
    [
      'the namespace',
      origin({ namespace: 'my-ml-production', pod: `${EXEC}-n0-0` }),
      ['my-ml', 'namespace', 'production', 'namespace'],
    ],
  ])('are said by %s, not by the line, whose are those of the task', (_, from, said) => {
    const found = step({ project: '"shared"', domain: '"staging"' }, from);
    expect(told(found, 'project', 'domain')).toEqual(said);
    expect(told(found, 'task_project', 'task_domain')).toEqual(['shared', undefined, 'staging', undefined]);
  });

  test('A URI says them before the line does', () => {
    const uri = `s3://m/metadata/propeller/ml-production-${EXEC}/n0/data/4`;
    const found = step({ project: '"shared"', domain: '"staging"', step: `"Upload data to ${uri}"` }, origin({}));
    expect(told(found, 'project', 'domain')).toEqual(['ml', 'uri', 'production', 'uri']);
  });

  test('With nothing else they are those of the line', () => {
    expect(told(step({}, origin({ namespace: 'flyte' })), 'project', 'domain')).toEqual([
      'ml',
      undefined,
      'production',
      undefined,
    ]);
  });

  test("The task's are the container's, and else those of the execution", () => {
    expect(told(log(origin({ labels: V1, env: ENV })), 'task_project', 'task_domain')).toEqual([
      'shared',
      'env',
      'staging',
      'env',
    ]);
    expect(told(log(origin({ labels: V1 })), 'task_project', 'task_domain')).toEqual([
      'ml',
      'execution',
      'production',
      'execution',
    ]);
  });

  test('Of a pod that is not of Flyte, a label `project` says nothing of a task', () => {
    expect(log(origin({ labels: { project: 'shop' } }))).not.toHaveProperty('task_project');
  });

  test('A namespace is divided at the domains that are configured', () => {
    const from = origin({ namespace: 'ml-eu-west', pod: `${EXEC}-n0-0` });
    const kubernetes = { labels: labelRules([]), domains: ['eu-west'] };
    expect(told(step(NOBODY, from), 'project', 'domain')).toEqual([undefined, undefined, undefined, undefined]);
    expect(told(step(NOBODY, from, { kubernetes }), 'project', 'domain')).toEqual([
      'ml',
      'namespace',
      'eu-west',
      'namespace',
    ]);
  });

  const name = fc.stringMatching(/^[a-z]([a-z-]{0,12}[a-z])?$/);

  test('No namespace is ever divided wrongly: where it could be two ways it is not', () => {
    fc.assert(
      fc.property(name, fc.uniqueArray(name, { minLength: 1, maxLength: 5 }), fc.nat(), (project, domains, which) => {
        const domain = domains[which % domains.length]!;
        const said = divideNamespace(`${project}-${domain}`, domains);
        const clear = domains.every((other) => other === domain || !`${project}-${domain}`.endsWith(`-${other}`));
        expect(said).toEqual(clear ? { project, domain } : {});
      }),
      { numRuns: 500 },
    );
    expect(divideNamespace('ml-pre-production', ['production', 'pre-production'])).toEqual({});
    expect(divideNamespace('-production', ['production'])).toEqual({});
  });
});

describe('task', () => {
  test('A label never takes the place of a dotted name, of the line or of the container', () => {
    expect(told(step({}, origin({ labels: V1 })), 'task')).toEqual(['workflows.train.fit', undefined]);
    expect(told(step(NOBODY, origin({ labels: V1, env: ENV })), 'task')).toEqual(['workflows.train.fit', 'env']);
  });

  test("A label of Flyte 1 is marked as its spelling; one of Flyte 2 is the task's name", () => {
    expect(told(log(origin({ labels: V1 })), 'task')).toEqual(['workflows-train-fit', 'label~']);
    expect(told(log(origin({ labels: V2 })), 'task')).toEqual(['workflows.train.fit', 'label']);
  });

  test('Its version is only in the container, under any of its names', () => {
    expect(told(log(origin({ env: ENV })), 'task_version')).toEqual(['v7', 'env']);
    expect(told(log(origin({ env: { _F_TK_V: 'v8' } })), 'task_version')).toEqual(['v8', 'env']);
    expect(told(log(origin({ env: { FLYTE_INTERNAL_VERSION: 'v9' } })), 'task_version')).toEqual(['v9', 'env']);
  });
});

describe('workflow', () => {
  test('is the very name, where the label is its spelling', () => {
    expect(told(log(origin({ labels: V1, env: ENV })), 'workflow')).toEqual(['workflows.train.pipeline', 'env']);
    expect(told(log(origin({ labels: V1 })), 'workflow')).toEqual(['workflows-train-pipeline', 'label~']);
    expect(told(log(origin({ env: ENV })), 'workflow')).toEqual(['workflows.train.pipeline', 'env']);
  });

  test('is the label, where the container names another', () => {
    const env = { FLYTE_INTERNAL_EXECUTION_WORKFLOW: 'ml:production:workflows.other' };
    expect(told(log(origin({ labels: V1, env })), 'workflow')).toEqual(['workflows-train-pipeline', 'label~']);
  });

  test('Labels are spelt in lower case, with dashes, and cut', () => {
    expect(labelSpelling('workflows.train.fit')).toBe('workflows-train-fit');
    expect(labelSpelling('My__Flow.Run_')).toBe('my-flow-run');
    expect(labelSpelling('x'.repeat(70))).toBe('x'.repeat(63));
  });
});

describe('node_id', () => {
  test("A label says the node's own id, a pod's name the one that is unique in the execution", () => {
    const pod = `${EXEC}-n0-0-dn7-1`;
    expect(told(log(origin({ pod, labels: { ...V1, 'node-id': 'dn7' } })), 'node_id')).toEqual(['dn7', 'label']);
    expect(told(log(origin({ pod })), 'node_id')).toEqual(['n0-0-dn7', 'pod']);
    expect(told(log(origin({ labels: V2 })), 'node_id')).toEqual(['a0', 'label']);
  });

  test('A URI says it when nothing else does', () => {
    const uri = `s3://m/metadata/propeller/ml-production-${EXEC}/n0/data/inputs.pb`;
    expect(told(step({ step: `"Download data to local from ${uri}"` }, origin({})), 'node_id')).toEqual(['n0', 'uri']);
  });
});

describe('attempt, from 0', () => {
  const retry = { pod: `${EXEC}-n0-3`, labels: V1 };

  test.each<[string, OriginFields, unknown[]]>([
    ['a label of Flyte 2, which counts from 1', origin({ pod: `${RUN}-a0-5`, labels: V2, env: ENV }), [1, 'label']],
    ['a variable', origin({ ...retry, env: ENV }), [1, 'env']],
    ['the name of the pod', origin(retry), [3, 'pod']],
    ['the name of a pod with its replica behind it', origin({ ...retry, pod: `${EXEC}-n0-3-worker-12` }), [3, 'pod']],
    [
      'the hash that is the name of the pod',
      origin({ pod: 'fl2f3cxi', labels: { ...V1, 'execution-id': LONG, 'node-id': 'train-the-model' } }),
      [2, 'hash'],
    ],
  ])('is said by %s', (_, from, said) => {
    expect(told(log(from), 'attempt')).toEqual(said);
  });

  test('A label that is no number, or none of Flyte 2, says nothing', () => {
    expect(log(origin({ labels: { ...V2, attempt: '0' } }))).not.toHaveProperty('attempt');
    expect(log(origin({ labels: { ...V2, attempt: 'x' } }))).not.toHaveProperty('attempt');
    expect(log(origin({ labels: { attempt: '3' } }))).not.toHaveProperty('attempt');
  });

  test('A hash that nothing known has made says nothing', () => {
    const labels = { ...V1, 'execution-id': LONG, 'node-id': 'train-the-model' };
    expect(log(origin({ pod: 'fpu5v4zq', labels }))).not.toHaveProperty('attempt');
  });
});

describe('map_index', () => {
  const ARRAY = 'workflows.map_fit_6b3bd0353da5de6e84d7982921ead2b3-arraynode';

  test('is said by a variable before the name of the pod', () => {
    const env = { FLYTE_K8S_ARRAY_INDEX: '4' };
    expect(told(log(origin({ pod: `${EXEC}-n0-0-3`, labels: V1, env })), 'map_index')).toEqual([4, 'env']);
  });

  test('The number at the end of an old map task is the index, not the attempt', () => {
    expect(told(log(origin({ pod: `${EXEC}-n0-1-3`, labels: V1 })), 'map_index', 'attempt')).toEqual([
      3,
      'pod',
      1,
      'pod',
    ]);
  });

  test('A child of an array node has it in its node, where the task is known to be one', () => {
    const from = origin({ pod: `${EXEC}-n0-0-n3-1` });
    const found = step({ task_name: `"${ARRAY}"` }, from);
    expect(told(found, 'map_index', 'attempt')).toEqual([3, 'pod', 1, 'pod']);
    expect(step({}, from)).not.toHaveProperty('map_index');
  });

  test('Where a number may be an index, an attempt or part of a name, nothing is said', () => {
    const found = log(origin({ pod: `${EXEC}-n0-1-3` }));
    for (const field of ['map_index', 'attempt', 'node_id']) expect(found).not.toHaveProperty(field);
    expect(found).toMatchObject({ execution_id: EXEC });
  });
});

test('A whole row of a task of Flyte 1, with all that its pod says', () => {
  const from = origin({
    namespace: 'ml-production',
    pod: `${EXEC}-n0-1`,
    container: `${EXEC}-n0-1`,
    labels: V1,
    env: ENV,
    owner: ['flyteworkflow', EXEC],
  });
  expect(log(from)).toEqual({
    ts: '2026-02-19T12:00:00.000000Z',
    dialect: 'log',
    kind: 'log',
    execution_id: EXEC,
    workflow: 'workflows.train.pipeline',
    task: 'workflows.train.fit',
    task_version: 'v7',
    node_id: 'n0',
    attempt: 1,
    project: 'ml',
    domain: 'production',
    task_project: 'shared',
    task_domain: 'staging',
    namespace: 'ml-production',
    pod: `${EXEC}-n0-1`,
    container: `${EXEC}-n0-1`,
    labels: V1,
    k8s_enriched: true,
    message: 'hello',
    provenance:
      'ts:arrival,execution_id:label,workflow:env,task:env,task_version:env,node_id:label,attempt:env,project:label,domain:label,task_project:env,task_domain:env',
  });
});

test('A whole row of an action of Flyte 2', () => {
  const from = origin({
    namespace: 'flyte',
    pod: `${RUN}-a0-1`,
    container: 'main',
    labels: V2,
    owner: ['TaskAction', `${RUN}-a0`],
  });
  expect(step({ execution_id: `"${RUN}"` }, from)).toMatchObject({
    execution_id: RUN,
    task: 'workflows.train.fit',
    node_id: 'a0',
    attempt: 1,
    project: 'ml',
    domain: 'production',
    labels: V2,
    provenance: 'node_id:label,attempt:label,project:label,domain:label',
  });
});

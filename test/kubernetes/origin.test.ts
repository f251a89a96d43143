import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCarry } from '../../src/carry-shape.ts';
import { carryOf, originCarry, originOf, VERSION } from '../../src/carry.ts';
import { KEPT_LABELS } from '../../src/kubernetes/labels.ts';
import { ownOrigin } from '../../src/kubernetes/own.ts';
import { KUBERNETES_DEFAULTS, labelRules } from '../../src/kubernetes/rules.ts';
import { NOWHERE, Origins, type OriginFields } from '../../src/origin.ts';
import { decode, stepLine, type Fields, type How } from '../support/decode.ts';

const EXEC = 'a7hzqtz5cm6k2dnm7k2w';
const POD = `${EXEC}-n0-0`;

function log(origin: OriginFields, how: How = {}): Fields {
  return decode('hello\n', { ...how, origin }).logs[0]!;
}

/** A line in a record of Fluent Bit, with its `kubernetes` map. */
function record(kubernetes: Record<string, unknown>, how: How = {}): Fields {
  const line = JSON.stringify({ date: 1771497044.189512, log: 'hello', kubernetes });
  return decode(`${line}\n`, how).logs[0]!;
}

const labelled = (labels: Record<string, string>): OriginFields => ({
  ...NOWHERE,
  labels: new Map(Object.entries(labels)),
});
const only = (...names: string[]): How => ({ kubernetes: { ...KUBERNETES_DEFAULTS, labels: labelRules(names) } });

describe('Labels', () => {
  const labels = { 'execution-id': EXEC, team: 'ml', 'team.io/cost': '7', 'execution-identity': 'jane-doe' };

  test.each<[string, readonly string[], Record<string, string> | undefined]>([
    ['those of Flyte and Kubernetes, when nothing is said', KEPT_LABELS, { 'execution-id': EXEC }],
    ['those of a list', ['team'], { team: 'ml' }],
    ['those that begin so', ['team*'], { team: 'ml', 'team.io/cost': '7' }],
    ['all', ['*'], labels],
    ['none', [], undefined],
  ])('are stored by a list: %s', (_, names, stored) => {
    const how = only(...names);
    expect(log(labelled(labels), how)['labels']).toEqual(stored);
    expect(record({ pod_name: 'p', namespace_name: 'n', labels }, how)['labels']).toEqual(stored);
  });

  test('A list of one’s own costs no field that is read from them', () => {
    const how = only('team');
    for (const found of [log(labelled(labels), how), record({ pod_name: 'p', namespace_name: 'n', labels }, how)]) {
      expect(found).toMatchObject({ execution_id: EXEC, labels: { team: 'ml' } });
    }
  });

  test('Whoever started an execution is kept out of every field', () => {
    const found = record({ pod_name: 'p', namespace_name: 'n', labels });
    expect(JSON.stringify(found)).not.toContain('jane');
  });
});

describe('app and component', () => {
  test.each<[string, OriginFields, unknown, unknown]>([
    [
      'the labels that Kubernetes recommends',
      labelled({ 'app.kubernetes.io/name': 'a', app: 'x', 'app.kubernetes.io/component': 'c', component: 'y' }),
      'a',
      'c',
    ],
    ['the plain ones', labelled({ app: 'x', component: 'y' }), 'x', 'y'],
    ['the Deployment behind the pod', { ...NOWHERE, owner: { kind: 'Deployment', name: 'web' } }, 'web', undefined],
    ['a label before that', { ...labelled({ app: 'x' }), owner: { kind: 'Deployment', name: 'web' } }, 'x', undefined],
    ['no execution', { ...NOWHERE, owner: { kind: 'flyteworkflow', name: EXEC } }, undefined, undefined],
    [
      'no ReplicaSet, whose name changes',
      { ...NOWHERE, owner: { kind: 'ReplicaSet', name: 'web-7d4b9c6f5d' } },
      undefined,
      undefined,
    ],
  ])('come from %s', (_, origin, app, component) => {
    const found = log(origin);
    expect([found['app'], found['component']]).toEqual([app, component]);
  });

  test('What is set by hand wins', () => {
    expect(log(labelled({ app: 'x' }), { constants: { app: 'mine' } })).toMatchObject({ app: 'mine' });
  });
});

describe('k8s_enriched', () => {
  test('says whether the API knew the pod, and nothing where it was not asked', () => {
    expect(log({ ...NOWHERE, k8s_enriched: true })).toMatchObject({ k8s_enriched: true });
    expect(log({ ...NOWHERE, k8s_enriched: false })).toMatchObject({ k8s_enriched: false });
    expect(log(NOWHERE)).not.toHaveProperty('k8s_enriched');
  });

  test('A record of Fluent Bit says nothing of it, with labels or without; what else stands in it is left', () => {
    const kubernetes = {
      pod_name: POD,
      namespace_name: 'ml-production',
      pod_id: 'uid-1',
      pod_ip: '10.0.0.7',
      docker_id: 'abc',
      container_name: 'main',
      container_image: 'repo/image:1',
      host: 'node-1',
      annotations: { 'steptap.io/exclude': 'false' },
    };
    for (const found of [record(kubernetes), record({ ...kubernetes, labels: { app: 'a' } })]) {
      expect(found).toMatchObject({ pod: POD, pod_uid: 'uid-1', container: 'main', node: 'node-1' });
      expect(found).not.toHaveProperty('k8s_enriched');
      expect(JSON.stringify(found)).not.toMatch(/10\.0\.0\.7|abc|repo|exclude/);
    }
  });
});

describe('An origin', () => {
  const text = fc.constantFrom('', 'a', 'b', '","');
  const map = fc
    .dictionary(fc.constantFrom('app', 'run', 'x'), text, { maxKeys: 2 })
    .map((each) => new Map(Object.entries(each)));
  const fields: fc.Arbitrary<OriginFields> = fc.record({
    namespace: text,
    pod: text,
    pod_uid: text,
    container: text,
    node: text,
    stream: fc.constantFrom('', 'stdout', 'stderr'),
    labels: map,
    owner: fc.option(fc.record({ kind: text, name: text }), { nil: undefined }),
    env: map,
    k8s_enriched: fc.constantFrom(undefined, true, false),
  });
  const image = (each: OriginFields): unknown => ({ ...each, labels: [...each.labels], env: [...each.env] });

  test('is one for all that is known of a stream, and another when anything of it is another', () => {
    const origins = new Origins({});
    fc.assert(
      fc.property(fields, fields, (one, other) => {
        expect(origins.of({ ...one, labels: new Map(one.labels) })).toBe(origins.of(one));
        const same = JSON.stringify(image(one)) === JSON.stringify(image(other));
        expect(origins.of(one) === origins.of(other)).toBe(same);
      }),
      { numRuns: 500 },
    );
  });

  test('is found again from a position, with all of it', () => {
    const origins = new Origins({});
    fc.assert(
      fc.property(fields, (one) => {
        const origin = origins.of(one);
        const carry = carryOf({
          cut: [],
          recorded: [],
          open: [],
          failed: [{ origin: originCarry(origin), failed: [] }],
        });
        const read = readCarry(JSON.parse(JSON.stringify(carry)));
        expect(originOf(read!.failed[0]!.origin, origins)).toBe(origin);
      }),
    );
  });

  test('A position from before there were owners and variables is read as it was', () => {
    const origin = { pod: POD, stream: 'stderr', labels: [['project', 'p']] };
    const read = readCarry({ v: VERSION, cut: [], recorded: [], open: [], failed: [{ origin, failed: [] }] });
    const origins = new Origins({});
    expect(originOf(read!.failed[0]!.origin, origins)).toBe(
      origins.of({ ...labelled({ project: 'p' }), pod: POD, stream: 'stderr' }),
    );
  });

  test('A stack that was open at a stop goes on, with all that the API said of its pod', () => {
    const origin: OriginFields = {
      ...labelled({ 'execution-id': EXEC }),
      pod: POD,
      owner: { kind: 'flyteworkflow', name: EXEC },
      env: new Map([['FLYTE_ATTEMPT_NUMBER', '3']]),
      k8s_enriched: true,
    };
    const lines = ['Traceback (most recent call last):', '  File "x.py", line 1, in f', 'ValueError: x', 'next', ''];
    const text = lines.join('\n');
    const whole = decode(text, { origin }).logs;
    expect(whole[0]).toMatchObject({ lines: 3, attempt: 3, k8s_enriched: true });
    expect(decode(text, { origin, stops: [text.indexOf('ValueError')] }).logs).toEqual(whole);
  });
});

describe("steptap's own pod", () => {
  const environment = {
    NODE_NAME: 'node-1',
    POD_NAMESPACE: 'ml-production',
    POD_NAME: POD,
    POD_UID: 'uid-1',
    CONTAINER_NAME: 'steptap',
    FLYTE_ATTEMPT_NUMBER: '2',
    HOME: '/root',
  };
  const own = ownOrigin(environment);
  const place = { namespace: 'ml-production', pod: POD, pod_uid: 'uid-1', container: 'steptap', node: 'node-1' };

  test('is where lines are from that say nothing else, with what Flyte told the container', () => {
    const { logs } = decode('hello\n', { own });
    expect(logs).toMatchObject([{ ...place, execution_id: EXEC, node_id: 'n0', attempt: 2 }]);
    expect(logs[0]).not.toHaveProperty('k8s_enriched');
  });

  test('is not mixed with another pod, that kubectl or an agent names', () => {
    const { logs, steps } = decode(`[pod/other/main] hello\n[pod/other/main] ${stepLine()}\n`, { own });
    for (const found of [...logs, ...steps, record({ pod_name: 'other', container_name: 'main' }, { own })]) {
      expect(found).toMatchObject({ pod: 'other', container: 'main' });
      for (const field of ['namespace', 'pod_uid', 'node', 'attempt']) expect(found).not.toHaveProperty(field);
    }
  });

  test('comes behind what is set by hand', () => {
    expect(decode('hello\n', { own, constants: { pod: 'mine' } }).logs).toMatchObject([
      { pod: 'mine', node: 'node-1' },
    ]);
  });

  test('is unknown where the environment says nothing of it', () => {
    expect(ownOrigin({ HOME: '/root', NODE_NAME: '' })).toBeUndefined();
    expect(ownOrigin({ NODE_NAME: 'node-1' })).toMatchObject({ node: 'node-1', pod: '' });
  });
});

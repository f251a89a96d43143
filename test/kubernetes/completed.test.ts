import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kubernetes/pod.ts';
import { KUBERNETES_DEFAULTS } from '../../src/kubernetes/rules.ts';
import { decode, type Fields, type How } from '../support/decode.ts';

const EXEC = 'a7hzqtz5cm6k2dnm7k2w';
const NAME = `${EXEC}-n0-0`;

function pod(uid: string, env: Record<string, string> = {}, rest: Partial<Pod> = {}): Pod {
  return {
    uid,
    namespace: 'ml-production',
    name: NAME,
    node: 'node-1',
    addresses: [],
    labels: new Map([['execution-id', EXEC]]),
    annotations: new Map(),
    owner: { kind: 'flyteworkflow', name: EXEC },
    containers: new Map([['main', new Map(Object.entries(env))]]),
    terminated: new Map(),
    ...rest,
  };
}

/** Pods that come and go. */
class Some {
  readonly pods: Pod[] = [];

  get(uid: string): Pod | undefined {
    return this.pods.find((each) => each.uid === uid);
  }

  named(namespace: string, name: string): Pod | undefined {
    return this.pods.findLast((each) => each.namespace === namespace && each.name === name);
  }

  at(): undefined {}
}

const asking = (pods: Pick<Some, 'get' | 'named' | 'at'> | undefined, how: How = {}): How => ({
  ...how,
  kubernetes: { ...KUBERNETES_DEFAULTS, pods },
});

const recordOf = (kubernetes: Fields, log = 'hello'): string =>
  `${JSON.stringify({ date: 1771497044.189512, log, kubernetes })}\n`;

describe("An agent's record", () => {
  const said = { pod_name: NAME, namespace_name: 'ml-production', pod_id: 'uid-1', container_name: 'main' };

  test('is completed with what the API knows of the very pod that it names', () => {
    const pods = new Some();
    pods.pods.push(pod('uid-1', { FLYTE_ATTEMPT_NUMBER: '2', FLYTE_INTERNAL_TASK_VERSION: 'v7' }));
    expect(decode(recordOf(said), asking(pods)).logs).toMatchObject([
      {
        pod_uid: 'uid-1',
        node: 'node-1',
        k8s_enriched: true,
        execution_id: EXEC,
        attempt: 2,
        task_version: 'v7',
      },
    ]);
  });

  test('of a pod that the API does not know is as it says, and marked', () => {
    const pods = new Some();
    // Under its name there is another by now.
    pods.pods.push(pod('uid-2', { FLYTE_ATTEMPT_NUMBER: '2' }));
    const [log] = decode(recordOf({ ...said, labels: { app: 'agent-said' } }), asking(pods)).logs;
    expect(log).toMatchObject({ pod_uid: 'uid-1', app: 'agent-said', k8s_enriched: false });
    expect(log).not.toHaveProperty('node');
    expect(log).toMatchObject({ attempt: 0 });
  });

  test('keeps the labels and the node that it was given', () => {
    const pods = new Some();
    pods.pods.push(pod('uid-1', {}, { labels: new Map([['app', 'later']]) }));
    const [log] = decode(recordOf({ ...said, host: 'node-0', labels: { app: 'then' } }), asking(pods)).logs;
    expect(log).toMatchObject({ node: 'node-0', app: 'then', k8s_enriched: true });
  });

  test('says nothing of the API where nobody is asked', () => {
    const [log] = decode(recordOf(said), asking(undefined)).logs;
    expect(log).not.toHaveProperty('k8s_enriched');
  });
});

describe('A prefix of kubectl', () => {
  const line = `[pod/${NAME}/main] hello\n`;
  const how = { constants: { namespace: 'ml-production' } };

  test('leads to the pod of that name, where the namespace is known', () => {
    const pods = new Some();
    pods.pods.push(pod('uid-1'));
    expect(decode(line, asking(pods, how)).logs).toMatchObject([{ pod_uid: 'uid-1', k8s_enriched: true }]);
    expect(decode(line, asking(pods)).logs).toMatchObject([{ pod: NAME, k8s_enriched: false }]);
  });

  test('leads to the pod that has the name now', () => {
    // It is made anew between two lines.
    const both = [pod('uid-1'), pod('uid-2')];
    const pods = { get: () => undefined, at: () => undefined, named: () => (both.length > 1 ? both.shift() : both[0]) };
    const { logs } = decode(line + line + line, asking(pods, how));
    expect(logs.map((log) => log['pod_uid'])).toEqual(['uid-1', 'uid-2', 'uid-2']);
  });
});

test("The CRI parser of Fluentd calls the line `message`, and a line's own `message` is no line", () => {
  const kubernetes = { pod_name: 'p', namespace_name: 'n' };
  const of = (record: Fields): string => `${JSON.stringify({ ...record, kubernetes })}\n`;
  const cut =
    of({ message: 'one ', stream: 'stderr', logtag: 'P' }) + of({ message: 'line', stream: 'stderr', logtag: 'F' });
  expect(decode(cut).logs).toMatchObject([{ message: 'one line', stream: 'stderr', pod: 'p' }]);
  expect(decode(of({ message: 'merged', level: 'error', team: 'ml' })).logs).toMatchObject([
    { message: 'merged', level: 'ERROR', attributes: { team: 'ml' } },
  ]);
});

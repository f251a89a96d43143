import { describe, expect, test } from 'vitest';
import { NOWHERE } from '../../../src/origin.ts';
import { decode, type Fields, type How } from '../../support/decode.ts';

const CONTEXT = { exec_id: 'a7hzqtz5cm6k2dnm7k2w', ns: 'ml-production', routine: 'worker-2' };

function line(json: Readonly<Record<string, unknown>>, msg = 'hello', level = 'info'): string {
  return JSON.stringify({ json, level, msg, ts: '2026-02-19T10:30:38Z' });
}

function one(text: string, how?: How): Fields {
  const { rows } = decode(text, how);
  expect(rows).toHaveLength(1);
  return rows[0]!.fields;
}

/** A pod with these labels. */
function labelled(labels: Readonly<Record<string, string>>): How {
  return { origin: { ...NOWHERE, namespace: 'flyte', pod: 'p', labels: new Map(Object.entries(labels)) } };
}

describe('Who wrote it', () => {
  test.each([
    [CONTEXT, 'flytepropeller', 'propeller'],
    [{ exec_id: 'x', node: 'n0' }, 'flytepropeller', 'propeller'],
    [{ 'x-request-id': 'a-x9tz4cqkbl7w2rvhm5dg', exec_id: 'x' }, 'flyteadmin', 'admin'],
    [{ service_name: 'executor', project: 'ml' }, 'flyte', 'executor'],
    [{}, 'flyte', 'flyte'],
  ])('is what the context says: %o', (json, app, component) => {
    expect(one(line(json))).toMatchObject({ dialect: 'flyte-services', app, component });
  });

  test.each([
    ['flytepropeller', 'propeller'],
    ['flyteadmin', 'admin'],
    ['flytescheduler', 'scheduler'],
    ['datacatalog', 'datacatalog'],
    ['flyte-pod-webhook', 'webhook'],
  ])("is known by the labels of Flyte's charts, which have no component: %s", (app, component) => {
    const labels = { 'app.kubernetes.io/name': app, 'app.kubernetes.io/instance': 'flyte' };
    for (const text of [line({}), 'E0219 10:00:00.123456 1 a.go:1] no', 'no']) {
      expect(one(text, labelled(labels))).toMatchObject({ dialect: 'flyte-services', app, component });
    }
  });

  test('is what labels say before what the line does', () => {
    const labels = { app: 'mine', component: 'scheduler' };
    expect(one(line(CONTEXT), labelled(labels))).toMatchObject(labels);
  });

  test('is the container where a path is all that is known', () => {
    const origin = { ...NOWHERE, namespace: 'flyte', pod: 'p', container: 'flyteadmin' };
    expect(one('no', { origin })).toMatchObject({ app: 'flyteadmin', component: 'admin' });
  });

  test('is in the line where all services are one process', () => {
    const labels = { 'app.kubernetes.io/name': 'flyte-binary' };
    expect(one(line(CONTEXT), labelled(labels))).toMatchObject({ app: 'flyte-binary', component: 'propeller' });
    expect(one('no', labelled(labels))).toMatchObject({ dialect: 'flyte-services', component: 'flyte' });
  });
});

describe('Whom it is about', () => {
  test('is the execution, node and workflow of the context', () => {
    const wf = 'ml:production:workflows.train.pipeline';
    const row = one(line({ ...CONTEXT, node: 'n0/dn1', wf, tasktype: 'spark' }));
    expect(row).toMatchObject({
      execution_id: 'a7hzqtz5cm6k2dnm7k2w',
      node_id: 'n0/dn1',
      workflow: 'workflows.train.pipeline',
      project: 'ml',
      domain: 'production',
    });
    expect(row['attributes']).toEqual({ ns: 'ml-production', routine: 'worker-2', tasktype: 'spark' });
  });

  test('is never the pod of the service', () => {
    const labels = { 'app.kubernetes.io/name': 'flytepropeller', project: 'infra', 'node-id': 'x' };
    const { origin } = labelled(labels);
    const row = one(line({ exec_id: 'x' }), { origin: { ...origin!, namespace: 'flyte-production' } });
    expect([row['project'], row['node_id'], row['provenance']]).toEqual([undefined, undefined, undefined]);
  });

  test('is what the pipeline fixes', () => {
    expect(one(line(CONTEXT), { constants: { project: 'mine' } })).toMatchObject({ project: 'mine' });
  });

  test('is not taken out of a key with a rule', () => {
    const privacy = { params: [], attributes: 'all', drop: ['exec_id'], mask: [], hash: [], keep_raw: true } as const;
    expect(JSON.stringify(one(line(CONTEXT), { privacy }))).not.toContain('a7hzqtz5cm6k2dnm7k2w');
    expect(JSON.stringify(one(line(CONTEXT), { privacy: { ...privacy, drop: ['ns'] } }))).not.toMatch(/ml|production/);
  });
});

describe('What it says', () => {
  test.each([
    ['debug', 'DEBUG'],
    ['warning', 'WARN'],
    ['fatal', 'FATAL'],
    ['panic', 'FATAL'],
  ])('has a level: %s', (level, expected) => {
    expect(one(line({}, 'x', level))).toMatchObject({ level: expected });
  });

  test.each([
    ['CRITICAL', 'FATAL'],
    ['ALERT', 'FATAL'],
    ['ERROR', 'ERROR'],
  ])('has that of Google too: %s', (severity, level) => {
    const text = JSON.stringify({ data: CONTEXT, message: 'x', severity, timestamp: '2026-02-19T10:30:38Z' });
    expect(one(text)).toMatchObject({ dialect: 'flyte-services', level, execution_id: 'a7hzqtz5cm6k2dnm7k2w' });
  });

  test('is of propeller where its worker is all that the context says', () => {
    const context = { ns: 'ml-production', routine: 'gc-worker' };
    const text = JSON.stringify({ data: context, message: 'x', severity: 'INFO', timestamp: '2026-02-19T10:30:38Z' });
    expect(one(text)).toMatchObject({ dialect: 'flyte-services', app: 'flytepropeller', project: 'ml' });
  });

  test('is kept where it begins like a context and is none', () => {
    const text = JSON.stringify({
      json: CONTEXT,
      level: 'info',
      msg: 'x',
      ts: '2026-02-19T10:30:38Z',
      data: '{"a": 1, b',
    });
    expect(one(text)['attributes']).toMatchObject({ data: '{"a": 1, b', routine: 'worker-2' });
  });

  test('names why a pod failed, and whose fault that was', () => {
    const row = one(line(CONTEXT, 'Pod failed with a system error. Code: Interrupted, Message: gone', 'warning'));
    expect(row).toMatchObject({ error_kind: 'system', attributes: { code: 'Interrupted' } });
  });

  test('names the phases of a node', () => {
    const row = one(line(CONTEXT, 'Change in node state detected from [Queued] -> [Running]'));
    expect(row['attributes']).toMatchObject({ phase_from: 'Queued', phase_to: 'Running' });
  });
});

describe('In text', () => {
  const GORM = '\r\n2026/02/19 10:30:37 \u001b[32m/go/src/flyteadmin/repo.go:68';

  test.each([
    ['', 'INFO', {}],
    [' \u001b[33mSLOW SQL >= 200ms', 'WARN', { reason: 'SLOW SQL >= 200ms' }],
    [' \u001b[35mrecord not found', 'ERROR', { reason: 'record not found' }],
  ])('an SQL statement is one event of two lines%s', (wrong, level, more) => {
    const text = `${GORM}${wrong}\n\u001b[0m\u001b[33m[214.113ms] \u001b[34;1m[rows:-]\u001b[0m SELECT 1\nnext`;
    const { logs, blank } = decode(text);
    expect(blank).toBe(1);
    expect(logs).toMatchObject([
      { dialect: 'flyte-services', component: 'admin', level, message: 'SELECT 1', lines: 2 },
      { dialect: 'log', message: 'next' },
    ]);
    expect(logs[0]!['attributes']).toEqual({
      caller: '/go/src/flyteadmin/repo.go:68',
      elapsed_ms: '214.113',
      rows: '-',
      ...more,
    });
  });

  test('a place without a statement is a log', () => {
    expect(decode(`${GORM}\nnext`).logs).toMatchObject([
      { dialect: 'log', message: '/go/src/flyteadmin/repo.go:68' },
      { message: 'next' },
    ]);
  });

  test('a panic is one event', () => {
    const text =
      'panic: no\n\ngoroutine 1 [running]:\ngithub.com/flyteorg/flyte/flytepropeller/cmd.Run(0x1)\n\t/x.go:1 +0x1\nnext';
    expect(decode(text).logs[0]).toMatchObject({ dialect: 'flyte-services', component: 'propeller', lines: 5 });
  });

  test.each([
    'time="2026-02-19T09:59:58Z" level=info msg="starting my service"',
    'time="2026-02-19T09:59:58Z" level=info msg="x" exec_id=7',
    'time="2026-02-19T09:59:58Z" level=info msg="x" node=n0 project=ml domain=dev src=a.go:1',
    'I0219 10:00:00.123456       1 leaderelection.go:257] attempting to acquire leader lease ml/mine...',
    '2026-08-21T10:30:38.123Z\tINFO\tstarting\t{"controller": "mine", "namespace": "flyte"}',
    '2026-08-21T10:30:38.123Z\tINFO\tusing flytepropeller',
    'downloading flyteorg/flyte',
    '{"message":"x","severity":"INFO","timestamp":"2026-02-19T10:30:38Z"}',
    '{"data":{"exec_id":"x","mine":1},"message":"x","severity":"INFO","timestamp":"2026-02-19T10:30:38Z"}',
    '{"data":{"project":"ml","domain":"dev"},"message":"x","severity":"INFO","timestamp":"2026-02-19T10:30:38Z"}',
    '{"data":{"node":"n1","phase":"warm-up","job_id":7},"message":"x","severity":"INFO","timestamp":"2026-02-19T10:30:38Z"}',
    '{"json":{"a":1},"level":"info","message":"x"}',
    '{"level":"info","msg":"x","ts":"2026-02-19T10:30:38Z","exec_id":"x"}',
    'panic: no\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1',
    '2026/02/19 10:30:37 /go/src/mine/repo.go:68\n[214.113ms] [rows:1] SELECT 1',
  ])("a user's line stays a log: %s", (text) => {
    expect(one(text)).toMatchObject({ dialect: 'log', kind: 'log' });
    expect(one(text)['app']).toBeUndefined();
  });
});

test('With the dialect off its lines are logs', () => {
  expect(one(line(CONTEXT), { disabled: new Set(['flyte-services']) })).toMatchObject({ dialect: 'log' });
});

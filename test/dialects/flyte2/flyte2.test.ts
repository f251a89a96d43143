import { describe, expect, test } from 'vitest';
import { zone } from '../../../src/zone.ts';
import { NOWHERE } from '../../../src/origin.ts';
import { decode, type How } from '../../support/decode.ts';

const RUN = { run_name: 'rqx7h5d2k9lm4n8vbtcw', action_name: 'a0' };

function line(values: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    timestamp: '2026-02-19T10:30:44.189213',
    level: 'INFO',
    logger: 'flyte',
    message: 'hello',
    filename: 'train.py',
    lineno: 41,
    funcName: 'fit',
    ...RUN,
    ...values,
  });
}

function timer(values: Readonly<Record<string, unknown>> = {}): string {
  const told = { is_flyte_internal: true, metric_type: 'timer', metric_name: 'run_task', duration_seconds: 0.5 };
  return line({ message: 'Stopwatch: run_task completed in 0.5s', ...told, ...values });
}

const one = (text: string, how?: How): unknown => {
  const { rows } = decode(text, how);
  expect(rows).toHaveLength(1);
  return rows[0]!.fields;
};

describe('A timer', () => {
  test('is a step of its run and action; whether that went well it does not say', () => {
    expect(one(timer())).toMatchObject({
      ts: '2026-02-19T10:30:44.189213Z',
      ts_start: '2026-02-19T10:30:43.689213Z',
      dialect: 'flyte2',
      event: 'flyte2_timer',
      kind: 'step',
      step: 'run_task',
      status: 'unknown',
      wall_time_s: 0.5,
      execution_id: 'rqx7h5d2k9lm4n8vbtcw',
      node_id: 'a0',
    });
  });

  test('has its time in the zone of the container', () => {
    expect(one(timer(), { zone: zone('+02:00')! })).toMatchObject({ ts: '2026-02-19T08:30:44.189213Z' });
    const cri = `2026-02-19T05:00:44.200000000Z stderr F ${timer()}`;
    expect(one(cri)).toMatchObject({ ts: '2026-02-19T05:00:44.189213Z' });
  });

  test('of submitting an action has one name for all actions', () => {
    const { rows } = decode(['a', 'b'].map((n) => timer({ metric_name: `controller-submit-${n}7x` })).join('\n'));
    expect(rows.map(({ fields, tuple }) => [tuple.step, fields['step_target'], fields['step_raw']])).toEqual([
      ['controller-submit', 'a7x', 'controller-submit-a7x'],
      ['controller-submit', 'b7x', 'controller-submit-b7x'],
    ]);
  });

  test('keeps its digits', () => {
    const { rows } = decode(timer().replace('"duration_seconds":0.5', '"duration_seconds":28.447119320000001'));
    expect(rows[0]!.text).toContain('"wall_time_s":28.447119320000001,');
  });

  test.each([{ duration_seconds: -1 }, { duration_seconds: '0.5' }, { metric_name: '' }, { metric_name: null }])(
    'that is none is rejected: %o',
    (values) => {
      expect(one(timer(values))).toMatchObject({ reason: 'schema', dialect: 'flyte2', lines: 1 });
    },
  );

  test.each<{ logger: unknown }>([
    { logger: { toString: 1 } },
    { logger: { toString: null, valueOf: null } },
    { logger: ['flyte'] },
    { logger: null },
  ])('on a logger that is no text is a log, and stops nothing: %j', ({ logger }) => {
    expect(one(timer({ logger, run_name: undefined }))).toMatchObject({ dialect: 'log', kind: 'log' });
  });

  test('of somebody else is a log', () => {
    expect(one(timer({ logger: 'my.app', run_name: undefined }))).toMatchObject({ dialect: 'log', kind: 'log' });
  });

  test('takes attempt, task and project from the labels of the pod', () => {
    const labels = {
      run: RUN.run_name,
      action: 'a0',
      attempt: '2',
      'task-name': 'w.fit',
      project: 'ml',
      domain: 'dev',
    };
    const origin = { ...NOWHERE, pod: 'rqx7h5d2k9lm4n8vbtcw-a0-1', labels: new Map(Object.entries(labels)) };
    expect(one(timer(), { origin })).toMatchObject({ attempt: 1, task: 'w.fit', project: 'ml', domain: 'dev' });
  });
});

describe('A log line', () => {
  test('says its run and action, its level and what was raised', () => {
    const exc_info = 'Traceback (most recent call last):\n  File "/x.py", line 1, in f\nValueError: no';
    expect(one(line({ level: 'ERROR', logger: 'flyte.user', exc_info }))).toEqual({
      ts: '2026-02-19T10:30:44.189213Z',
      dialect: 'flyte2',
      kind: 'log',
      error_type: 'ValueError',
      execution_id: 'rqx7h5d2k9lm4n8vbtcw',
      node_id: 'a0',
      app: 'flyte2',
      component: 'task',
      level: 'ERROR',
      message: 'hello',
      logger: 'flyte.user',
      attributes: { filename: 'train.py', lineno: '41', funcName: 'fit', exc_info },
    });
  });

  test.each([
    ['[rqx7h5d2k9lm4n8vbtcw][a0] [flyte] WARNING no', { level: 'WARN', logger: 'flyte', node_id: 'a0', message: 'no' }],
    ['[rqx7h5d2k9lm4n8vbtcw][a0] ERROR no', { level: 'ERROR', execution_id: 'rqx7h5d2k9lm4n8vbtcw', message: 'no' }],
    ['[flyte] WARNING no', { level: 'WARN', logger: 'flyte', message: 'no' }],
  ])('of a console is one too: %s', (text, expected) => {
    expect(one(text)).toMatchObject({ dialect: 'flyte2', app: 'flyte2', ...expected });
  });

  test.each([
    '[flytekit] no',
    '[run][a0] no',
    '{"level":"INFO","logger":"flyte","message":"no"}',
    '{"run_name":"r","action_name":"a","message":"no"}',
  ])('of somebody else is not: %s', (text) => {
    expect(one(text)).toMatchObject({ dialect: 'log' });
  });
});

test('A key with a rule is no column', () => {
  const privacy = { params: [], attributes: 'all', drop: ['run_name'], mask: [], hash: [], keep_raw: true } as const;
  for (const text of [timer(), line()]) {
    expect(JSON.stringify(one(text, { privacy }))).not.toContain('rqx7h5d2k9lm4n8vbtcw');
  }
});

test('With the dialect off both are logs', () => {
  const { logs } = decode(`${timer()}\n${line()}`, { disabled: new Set(['flyte2']) });
  expect(logs).toMatchObject([{ dialect: 'log' }, { dialect: 'log' }]);
});

import { ARRIVAL, type Fields } from '../../support/decode.ts';

/*
 * What the sample lines that are not steps mean, by hand, by line number. Whole rows, as in samples.ts.
 */

/** Without a time of its own it is given the arrival's. */
function log(ts: string | undefined, message: string, rest: Fields): Fields {
  const day = ts?.includes('T') === true ? '' : '2026-02-19T';
  const when = ts === undefined ? { ts: ARRIVAL, provenance: 'ts:arrival' } : { ts: `${day}${ts}Z` };
  return { ...when, dialect: 'log', kind: 'log', message, ...rest };
}

const RUN = { execution_id: 'rqx7h5d2k9lm4n8vbtcw', node_id: 'a0' };

/** Of Flyte 2. */
function flyte2(ts: string | undefined, message: string, rest: Fields): Fields {
  return log(ts, message, { ...rest, dialect: 'flyte2', ...RUN, app: 'flyte2', component: 'task' });
}

const PROPELLER = { app: 'flytepropeller', component: 'propeller' };
const ADMIN = { app: 'flyteadmin', component: 'admin' };
const EXECUTOR = { app: 'flyte', component: 'executor' };
const SOME = { app: 'flyte', component: 'flyte' };

/** Of a service of Flyte. */
function service(ts: string | undefined, message: string, of: Fields, rest: Fields): Fields {
  return log(ts, message, { level: 'INFO', ...rest, dialect: 'flyte-services', ...of });
}

const EXECUTION = { execution_id: 'a7hzqtz5cm6k2dnm7k2w', project: 'ml', domain: 'production' };
const PIPELINE = { ...EXECUTION, workflow: 'workflows.train.pipeline' };
const WORKER = { ns: 'ml-production', routine: 'worker-2' };
const RECONCILED = { ...WORKER, res_ver: '44393559' };

/** In the order of their rows: a stack is whole only when something else follows. */
export const LOGS: readonly [number, Fields][] = [
  [29, log('10:31:13.206000', 'Task produces no outputs', { level: 'WARN', logger: 'flytekit' })],
  [
    31,
    log('10:31:02.118000', 'epoch 1 loss=0.4127', { level: 'INFO', logger: 'user_space', attributes: { epoch: '1' } }),
  ],
  [
    32,
    log('11:02:07.400000', 'batch 7 failed', {
      level: 'ERROR',
      logger: 'user_space',
      error_type: 'ValueError',
      attributes: {
        exc_info:
          'Traceback (most recent call last):\n  File "/root/workflows/train.py", line 41, in fit\n    step(b)\nValueError: shape mismatch (3, 4)',
      },
    }),
  ],
  [37, log(undefined, 'epoch 2 loss=0.3991', { logger: 'user_space' })],
  [38, log(undefined, 'loading 12 shards from /tmp/flyte', {})],
  [40, log(undefined, '100%|##########| 3/3 [00:27<00:00,  9.17s/it]', {})],
  [
    41,
    log(
      undefined,
      'Traceback (most recent call last):\n  File "/root/workflows/train.py", line 12, in <module>\n    import torch\n' +
        "ModuleNotFoundError: No module named 'torch'",
      { level: 'ERROR', error_type: 'ModuleNotFoundError', lines: 4 },
    ),
  ],
  [54, log(undefined, 'page_view', { attributes: { step: '3', status: 'success' } })],
  // Its line is the step's.
  [57, log(undefined, 'loading 12 shards from /tmp/flyte', { lines: 0 })],
  [
    60,
    flyte2('10:31:02.118002', 'epoch 1 loss=0.4127', {
      level: 'INFO',
      logger: 'flyte.user',
      attributes: { filename: 'train.py', lineno: '41', funcName: 'fit' },
    }),
  ],
  [61, flyte2(undefined, 'retrying download (attempt 2)', { level: 'WARN', logger: 'flyte' })],
  [
    62,
    service('10:30:38.000000', 'Processing Workflow.', PROPELLER, {
      ...EXECUTION,
      attributes: { ...WORKER, src: 'handler.go:186' },
    }),
  ],
  [
    63,
    service(
      '10:30:39.000000',
      'Creating Object: Type:[/v1, Kind=Pod], Object:[ml-production/a7hzqtz5cm6k2dnm7k2w-n0-0]',
      PROPELLER,
      {
        ...PIPELINE,
        node_id: 'n0',
        attributes: {
          ...RECONCILED,
          src: 'plugin_manager.go:228',
          tasktype: 'python-task',
          object: 'ml-production/a7hzqtz5cm6k2dnm7k2w-n0-0',
        },
      },
    ),
  ],
  [
    64,
    service(
      '10:31:15.000000',
      'Change in node state detected from [Running] -> [Succeeding], (handler phase [Success])',
      PROPELLER,
      {
        ...PIPELINE,
        node_id: 'n0',
        attributes: {
          ...RECONCILED,
          src: 'executor.go:1269',
          phase_from: 'Running',
          phase_to: 'Succeeding',
          handler_phase: 'Success',
        },
      },
    ),
  ],
  [
    65,
    service(
      '11:02:31.000000',
      'Pod failed with a user error. Code: OOMKilled, Message: [f1c0b5a2e93d4c7f8a61-n0-0] terminated with exit code (137). Reason [OOMKilled]. Message: .',
      PROPELLER,
      {
        ...PIPELINE,
        execution_id: 'f1c0b5a2e93d4c7f8a61',
        node_id: 'n0',
        level: 'WARN',
        error_kind: 'user',
        attributes: { ...RECONCILED, tasktype: 'python-task', code: 'OOMKilled' },
      },
    ),
  ],
  [
    66,
    service(
      '11:10:02.000000',
      'panic when reconciling workflow, Stack: [goroutine 622 [running]:\nruntime/debug.Stack()\n\t/usr/local/go/src/runtime/debug/stack.go:26 +0x5e\n]',
      PROPELLER,
      { ...PIPELINE, level: 'ERROR', attributes: RECONCILED },
    ),
  ],
  [67, service('10:00:00.000000', 'Started Worker', SOME, {})],
  [
    68,
    service(
      '09:59:58.000000',
      'Using config file: [/etc/flyte/config/core.yaml /etc/flyte/config/logger.yaml]',
      SOME,
      {},
    ),
  ],
  [
    69,
    service(undefined, 'attempting to acquire leader lease flyte/propeller-leader...', PROPELLER, {
      attributes: { clock: '0219 10:00:00.123456', thread: '1', caller: 'leaderelection.go:257' },
    }),
  ],
  [
    70,
    service('10:30:37.000000', 'getting the workflow execution config from application configuration', ADMIN, {
      attributes: { src: 'execution_manager.go:407', 'x-request-id': 'a-x9tz4cqkbl7w2rvhm5dg' },
    }),
  ],
  [
    71,
    service(
      '10:40:02.000000',
      'Failed to get node execution [project:"ml" domain:"production" name:"a7hzqtz5cm6k2dnm7k2w"] that launched this execution with error missing entity',
      ADMIN,
      {
        execution_id: 'a7hzqtz5cm6k2dnm7k2w',
        level: 'ERROR',
        attributes: { src: 'execution_manager.go:290', 'x-request-id': 'a-x9tz4cqkbl7w2rvhm5dg' },
      },
    ),
  ],
  // Two lines of GORM's, with colours, behind a blank one.
  [
    73,
    service('10:30:37.000000', 'SELECT * FROM "executions" WHERE ...', ADMIN, {
      attributes: {
        caller: '/go/src/flyteadmin/pkg/repositories/gormimpl/execution_repo.go:68',
        elapsed_ms: '214.113',
        rows: '1',
      },
      lines: 2,
    }),
  ],
  [75, service('10:30:38.000000', 'Processing Workflow.', PROPELLER, { ...EXECUTION, attributes: WORKER })],
  [76, service('10:30:38.000000', 'Processing Workflow.', PROPELLER, { ...EXECUTION, attributes: WORKER })],
  [
    77,
    service('2026-08-21T10:30:38.000000', 'Failed to record action event', EXECUTOR, {
      level: 'WARN',
      project: 'ml',
      domain: 'production',
      attributes: { service_name: 'executor' },
    }),
  ],
  [
    78,
    service('2026-08-21T10:30:38.123000', 'restarting task in-place', EXECUTOR, {
      ...RUN,
      attributes: { controller: 'taskaction', namespace: 'flyte', attempt: '2', maxAttempts: '4' },
    }),
  ],
];

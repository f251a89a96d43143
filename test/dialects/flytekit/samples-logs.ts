import { ARRIVAL, type Fields } from '../../support/decode.ts';

/*
 * What the sample lines that are not steps mean, by hand, by line number. Whole rows, as in samples.ts.
 */

/** Without a time of its own it is given the arrival's. */
function log(ts: string | undefined, message: string, rest: Fields): Fields {
  const when = ts === undefined ? { ts: ARRIVAL, provenance: 'ts:arrival' } : { ts: `2026-02-19T${ts}Z` };
  return { ...when, dialect: 'log', kind: 'log', message, ...rest };
}

const RUN = { run_name: 'rqx7h5d2k9lm4n8vbtcw', action_name: 'a0' };
const STOPWATCH = {
  filename: '_metrics.py',
  lineno: '61',
  funcName: '_emit_metric',
  ...RUN,
  is_flyte_internal: 'true',
  metric_type: 'timer',
};

/** In the order of their rows: a stack is whole only when something else follows. */
export const LOGS: readonly [number, Fields][] = [
  [29, log('10:31:13.206000', 'Task produces no outputs', { level: 'WARN', logger: 'flytekit' })],
  [30, log('10:31:12.640000', 'Execute user level code. [Time: 28.447119s]', { level: 'INFO', logger: 'flytekit' })],
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
    58,
    log('10:30:44.189213', 'Stopwatch: load_inputs completed in 0.1609s', {
      level: 'INFO',
      logger: 'flyte',
      attributes: { ...STOPWATCH, metric_name: 'load_inputs', duration_seconds: '0.16093411' },
    }),
  ],
  [
    59,
    log('10:31:12.640771', 'Stopwatch: run_task completed in 28.4471s', {
      level: 'INFO',
      logger: 'flyte',
      attributes: { ...STOPWATCH, metric_name: 'run_task', duration_seconds: '28.44711932' },
    }),
  ],
  [
    60,
    log('10:31:02.118002', 'epoch 1 loss=0.4127', {
      level: 'INFO',
      logger: 'flyte.user',
      attributes: { filename: 'train.py', lineno: '41', funcName: 'fit', ...RUN },
    }),
  ],
  [61, log(undefined, 'retrying download (attempt 2)', { level: 'WARN', logger: 'flyte', attributes: RUN })],
  [
    62,
    log('10:30:38.000000', 'Processing Workflow.', {
      level: 'INFO',
      attributes: {
        json: '{"exec_id":"a7hzqtz5cm6k2dnm7k2w","ns":"ml-production","routine":"worker-2","src":"handler.go:186"}',
      },
    }),
  ],
  [67, log('10:00:00.000000', 'Started Worker', { level: 'INFO', attributes: { json: '{}' } })],
  [
    68,
    log('09:59:58.000000', 'Using config file: [/etc/flyte/config/core.yaml /etc/flyte/config/logger.yaml]', {
      level: 'INFO',
    }),
  ],
  [73, log('10:30:37.000000', '/go/src/flyteadmin/pkg/repositories/gormimpl/execution_repo.go:68', {})],
  [74, log(undefined, '[214.113ms] [rows:1] SELECT * FROM "executions" WHERE ...', {})],
  [
    75,
    log('10:30:38.000000', 'Processing Workflow.', {
      level: 'INFO',
      attributes: { data: '{"exec_id":"a7hzqtz5cm6k2dnm7k2w","ns":"ml-production","routine":"worker-2"}' },
    }),
  ],
  [
    76,
    log('10:30:38.000000', 'Processing Workflow.', {
      level: 'INFO',
      attributes: { exec_id: 'a7hzqtz5cm6k2dnm7k2w', ns: 'ml-production', routine: 'worker-2' },
    }),
  ],
];

/** What matters of the others: level, time and the beginning of the message. */
export const OTHERS: readonly [number, string, string, string][] = [
  [63, '2026-02-19T10:30:39.000000Z', 'INFO', 'Creating Object: Type:[/v1, Kind=Pod]'],
  [64, '2026-02-19T10:31:15.000000Z', 'INFO', 'Change in node state detected from [Running] -> [Succeeding]'],
  [65, '2026-02-19T11:02:31.000000Z', 'WARN', 'Pod failed with a user error. Code: OOMKilled'],
  [
    66,
    '2026-02-19T11:10:02.000000Z',
    'ERROR',
    'panic when reconciling workflow, Stack: [goroutine 622 [running]:\nruntime',
  ],
  [69, ARRIVAL, 'INFO', 'attempting to acquire leader lease flyte/propeller-leader...'],
  [70, '2026-02-19T10:30:37.000000Z', 'INFO', 'getting the workflow execution config'],
  [71, '2026-02-19T10:40:02.000000Z', 'ERROR', 'Failed to get node execution [project:"ml" domain:"production"'],
  [77, '2026-08-21T10:30:38.000000Z', 'WARN', 'Failed to record action event'],
  [78, '2026-08-21T10:30:38.123000Z', 'INFO', 'restarting task in-place'],
];

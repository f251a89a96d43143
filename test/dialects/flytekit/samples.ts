import { ARRIVAL, type Fields } from '../../support/decode.ts';

/*
 * What the sample lines of flytekit mean, by hand, by line number. Whole rows: what is not named here must not be in the row.
 */

const FIT = { task: 'workflows.train.fit', project: 'ml', domain: 'production' };
const TASK = { task_project: 'ml', task_domain: 'production' };
const POD = { execution_id: 'a7hzqtz5cm6k2dnm7k2w', ...FIT, ...TASK };
const FAILED = { execution_id: 'f1c0b5a2e93d4c7f8a61', ...FIT, ...TASK };
const NOT_LOADED = { execution_id: 'a9vprh4xgk8q7n2txzbj', ...FIT, ...TASK };

/** `times`: start and end, on 2026-02-19; `step`: normalised, and as written where that is not the same. */
function step(times: string, names: string | [string, string], wall: number, process: number, rest: Fields): Fields {
  const [start, end] = times.split(' ');
  const [name, raw] = typeof names === 'string' ? [names, names] : names;
  return {
    ts: `2026-02-19T${end}Z`,
    ts_start: `2026-02-19T${start}Z`,
    dialect: 'flytekit',
    event: 'flytekit_step',
    kind: 'step',
    step: name,
    step_raw: raw,
    status: 'success',
    wall_time_s: wall,
    process_time_s: process,
    app: 'flytekit',
    component: 'task',
    ...rest,
  };
}

/** Without telemetry. */
function timing(times: string, names: [string, string], wall: number): Fields {
  const { process_time_s: _none, ...rest } = step(times, names, wall, 0, {});
  return { ...rest, event: 'flytekit_timing', status: 'unknown' };
}

/** Of Flyte 2. */
function timer(times: string, name: string, wall: number): Fields {
  return {
    ...timing(times, [name, name], wall),
    dialect: 'flyte2',
    event: 'flyte2_timer',
    app: 'flyte2',
    execution_id: 'rqx7h5d2k9lm4n8vbtcw',
    node_id: 'a0',
    attributes: { filename: '_metrics.py', lineno: '61', funcName: '_emit_metric', is_flyte_internal: 'true' },
  };
}

const EXECUTE: [string, string] = ['execute_user_code', 'Execute user level code'];
const FROM = 'Download data to local from ';
const TO = 'Upload data to ';
const CODE = 's3://flyte-meta/ml/production/KZ6PJ3FQHRVQY7M2DXN4WZQK3U======/fastf0c1.tar.gz';
const INPUTS = 's3://flyte-meta/metadata/propeller/ml-production-a7hzqtz5cm6k2dnm7k2w/n0/data/inputs.pb';
const RAW = 's3://flyte-raw/oz/a7hzqtz5cm6k2dnm7k2w-n0-0/6f1d0e.parquet';
const OUTPUTS = 's3://flyte-meta/metadata/propeller/ml-production-a7hzqtz5cm6k2dnm7k2w/n0/data/0';
const MINED = { node_id: 'n0', provenance: 'node_id:uri,project:uri,domain:uri' };
const HALF_PAST = '10:30:44.188995 10:30:44.189000';
const BY_POD = 'a7hzqtz5cm6k2dnm7k2w-n0-0';
const NAMED = { ...POD, node_id: 'n0', attempt: 0, pod: BY_POD, container: BY_POD };

/** Every step, in the order of its lines. */
export const STEPS: readonly [number, Fields][] = [
  // Timed outside of the task's context: `local` is nobody.
  [
    1,
    step('10:30:40.791794 10:30:41.204000', ['download_data', FROM + CODE], 0.412206, 0.031877, { step_target: CODE }),
  ],
  [
    2,
    step('10:30:40.791087 10:30:41.268000', ['download_distribution', 'Download distribution'], 0.476913, 0.041102, {}),
  ],
  [3, step('10:30:42.808796 10:30:44.025000', ['load_task_module', 'Load task'], 1.216204, 1.190733, POD)],
  [4, step('10:30:42.809449 10:30:44.026000', 'load_task', 1.216551, 1.191076, POD)],
  [
    5,
    step('10:30:44.026578 10:30:44.187000', ['download_data', FROM + INPUTS], 0.160422, 0.012096, {
      ...POD,
      step_target: INPUTS,
      ...MINED,
    }),
  ],
  [6, step('10:30:44.027094 10:30:44.188000', 'download_inputs', 0.160906, 0.012576, POD)],
  [7, step('10:30:44.188048 10:30:44.189000', 'deserialize_inputs', 0.000952, 0.000951, POD)],
  [8, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, POD)],
  [
    9,
    step(
      '10:30:44.189997 10:30:44.190000',
      ['async_translate_literal_to_python_value', 'AsyncTranslate literal to python value'],
      0.000003,
      0.000003,
      { ...POD, attributes: { 'steptap.artefact': 'coroutine' } },
    ),
  ],
  [
    10,
    step(
      '10:30:44.189127 10:30:44.191000',
      ['translate_literal_to_python_value', 'Translate literal to python value'],
      0.001873,
      0.001342,
      POD,
    ),
  ],
  [
    11,
    step('10:30:44.192881 10:31:12.640000', EXECUTE, 28.447119, 27.903312, {
      ...POD,
      params: { epochs: '[redacted]', lr: '[redacted]', ds: '[redacted]' },
    }),
  ],
  [12, step('10:31:12.640269 10:31:12.641000', EXECUTE, 0.000731, 0.00073, { ...POD, params: { blob: '[redacted]' } })],
  [13, step('10:31:12.639996 10:31:12.640000', 'post_execute', 0.000004, 0.000004, POD)],
  [
    14,
    step('10:31:12.642998 10:31:13.204000', ['upload_data', TO + RAW], 0.561002, 0.074411, {
      ...POD,
      step_target: RAW,
      node_id: 'n0',
      attempt: 0,
      provenance: 'node_id:uri,attempt:uri',
    }),
  ],
  [
    15,
    step(
      '10:31:12.641123 10:31:13.205000',
      ['translate_output_to_literals', 'Translate the output to literals'],
      0.563877,
      0.077001,
      POD,
    ),
  ],
  [16, step('10:31:12.641497 10:31:13.206000', ['dispatch_execute', 'dispatch execute'], 0.564503, 0.077633, POD)],
  [17, step('10:31:13.205998 10:31:13.206000', 'write_decks', 0.000002, 0.000002, POD)],
  [18, step('10:30:44.188776 10:31:13.206000', 'task_dispatch_execute', 29.017224, 27.984031, POD)],
  [19, step('10:31:13.206981 10:31:13.207000', 'output_offloading', 0.000019, 0.000019, POD)],
  [
    20,
    step('10:31:13.208189 10:31:13.402000', ['upload_data', TO + OUTPUTS], 0.193811, 0.020413, {
      ...POD,
      step_target: OUTPUTS,
      node_id: 'n0',
      attempt: 0,
      provenance: 'node_id:uri,attempt:uri,project:uri,domain:uri',
    }),
  ],
  [21, step('10:31:13.207792 10:31:13.402000', 'upload_outputs', 0.194208, 0.020809, POD)],
  [
    22,
    step('11:02:04.397553 11:02:07.518000', EXECUTE, 3.120447, 3.101022, {
      ...FAILED,
      status: 'error',
      error_type: 'FlyteUserRuntimeException',
      params: { x: '[redacted]' },
    }),
  ],
  [
    23,
    step('11:02:04.395095 11:02:07.519000', 'task_dispatch_execute', 3.123905, 3.104466, {
      ...FAILED,
      status: 'error',
      error_type: 'FlyteUserRuntimeException',
    }),
  ],
  [
    24,
    step('11:05:18.200886 11:05:19.003000', 'load_task', 0.802114, 0.790021, {
      ...NOT_LOADED,
      status: 'error',
      error_type: 'ModuleNotFoundError',
    }),
  ],
  // `taskName: null` is asyncio's, and says nothing.
  [25, step('10:30:44.188048 10:30:44.189000', 'deserialize_inputs', 0.000952, 0.000951, POD)],
  // The dump of an id object, of which the name is the execution.
  [26, step('10:30:44.188048 10:30:44.189000', 'deserialize_inputs', 0.000952, 0.000951, POD)],
  [
    27,
    step('10:31:00.501000 10:31:02.001000', 'score batch', 1.5, 1.4, {
      ...POD,
      attributes: { input_size_bytes: '1024', shape: '{"rows": 10, "cols": 3}', auc: 'NaN' },
    }),
  ],
  // The ClickHouse path: `timestamp`, UTC.
  [
    28,
    step('10:30:44.192881 10:31:12.640000', EXECUTE, 28.447119, 27.903312, {
      ...POD,
      params: { epochs: '[redacted]' },
    }),
  ],
  [57, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, POD)],
  [58, timer('10:30:44.028279 10:30:44.189213', 'load_inputs', 0.16093411)],
  [59, timer('10:30:44.193652 10:31:12.640771', 'run_task', 28.44711932)],
  [79, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, { ...POD, stream: 'stderr' })],
  [80, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, { ...POD, stream: 'stderr', lines: 2 })],
  [82, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, { ...POD, stream: 'stderr' })],
  [83, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, POD)],
  [84, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, { ...NAMED, provenance: 'node_id:pod,attempt:pod' })],
  [85, step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, { ...NAMED, provenance: 'node_id:pod,attempt:pod' })],
  [
    86,
    step(HALF_PAST, 'pre_execute', 0.000005, 0.000004, {
      ...NAMED,
      workflow: 'workflows-train-pipeline',
      namespace: 'ml-production',
      labels: {
        'execution-id': 'a7hzqtz5cm6k2dnm7k2w',
        project: 'ml',
        domain: 'production',
        'workflow-name': 'workflows-train-pipeline',
        'node-id': 'n0',
        'task-name': 'workflows-train-fit',
        'shard-key': '10',
        interruptible: 'false',
      },
      provenance: 'workflow:label~,node_id:label,attempt:pod,project:label,domain:label',
    }),
  ],
  // A timing waits for its step, up to the end.
  [30, timing('10:30:44.192881 10:31:12.640000', EXECUTE, 28.447119)],
];

const ERROR = {
  app: 'flytekit',
  component: 'task',
  dialect: 'flytekit',
  event: 'flytekit_error',
  kind: 'error',
  status: 'error',
  level: 'ERROR',
  logger: 'flytekit',
};
const MESSAGE = '\n\nMessage:\n\n    ValueError: shape mismatch (3, 4)';

/** The errors that flytekit prints: 33 to 36 as JSON, 45 to 53 as text, where nothing says the time or whose error it is. */
export const ERRORS: readonly Fields[] = [
  {
    ...ERROR,
    ts: '2026-02-19T11:02:07.520000Z',
    root_error_type: 'ValueError',
    error_kind: 'user',
    ...FAILED,
    message: `Trace:\n\n    Traceback (most recent call last):\n      File "/root/workflows/train.py", line 41, in fit\n        step(b)\n    ValueError: shape mismatch (3, 4)${MESSAGE}`,
    attributes: { reason: 'shape mismatch (3, 4)' },
    lines: 4,
    // Of the step that failed 1 ms before, in the same stream.
    provenance: 'execution_id:stream,task:stream,project:stream,domain:stream,task_project:stream,task_domain:stream',
  },
  {
    ...ERROR,
    ts: ARRIVAL,
    root_error_type: 'ValueError',
    message: `Trace:\n\n    Traceback (most recent call last):\n      File "/root/workflows/train.py", line 41, in fit\n    ValueError: shape mismatch (3, 4)${MESSAGE}`,
    lines: 9,
    provenance: 'ts:arrival',
  },
];

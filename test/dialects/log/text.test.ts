import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collapseProgress, readText, stripAnsi, type TextLog } from '../../../src/dialects/log/text.ts';
import { parseTime } from '../../../src/time.ts';

const samples = new Set(readFileSync('test/fixtures/flyte-samples.log', 'utf8').split('\n'));

type Expected = Omit<TextLog, 'time' | 'attributes'> & { time?: string; attributes?: Record<string, string> };

/** As readText says it, from the shorter way in which the tables below say it. */
function log({ time, attributes, ...rest }: Expected): TextLog {
  const written = time === undefined ? undefined : parseTime(time);
  return {
    ...rest,
    ...(written === undefined ? {} : { time: written }),
    ...(attributes === undefined ? {} : { attributes: Object.entries(attributes) }),
  };
}

const tqdm =
  ' 33%|###3      | 1/3 [00:09<00:18,  9.21s/it]\r 67%|######6   | 2/3 [00:18<00:09,  9.18s/it]\r100%|##########| 3/3 [00:27<00:00,  9.17s/it]';

describe('what Flyte really writes', () => {
  test.each<[string, Expected]>([
    ['[user_space] epoch 2 loss=0.3991', { message: 'epoch 2 loss=0.3991', logger: 'user_space' }],
    ['loading 12 shards from /tmp/flyte', { message: 'loading 12 shards from /tmp/flyte' }],
    ['', { message: '' }],
    [tqdm, { message: '100%|##########| 3/3 [00:27<00:00,  9.17s/it]' }],
    ['Traceback (most recent call last):', { message: 'Traceback (most recent call last):' }],
    ["ModuleNotFoundError: No module named 'torch'", { message: "ModuleNotFoundError: No module named 'torch'" }],
    ['[flytekit] Trace:', { message: 'Trace:', logger: 'flytekit' }],
    ['    ValueError: shape mismatch (3, 4)', { message: '    ValueError: shape mismatch (3, 4)' }],
    [
      '[rqx7h5d2k9lm4n8vbtcw][a0] [flyte] WARNING retrying download (attempt 2)',
      {
        message: 'retrying download (attempt 2)',
        level: 'WARN',
        logger: 'flyte',
        attributes: { run_name: 'rqx7h5d2k9lm4n8vbtcw', action_name: 'a0' },
      },
    ],
    [
      'time="2026-02-19T09:59:58Z" level=info msg="Using config file: [/etc/flyte/config/core.yaml /etc/flyte/config/logger.yaml]"',
      {
        message: 'Using config file: [/etc/flyte/config/core.yaml /etc/flyte/config/logger.yaml]',
        level: 'INFO',
        time: '2026-02-19T09:59:58Z',
      },
    ],
    [
      'I0219 10:00:00.123456       1 leaderelection.go:257] attempting to acquire leader lease flyte/propeller-leader...',
      {
        message: 'attempting to acquire leader lease flyte/propeller-leader...',
        level: 'INFO',
        attributes: { clock: '0219 10:00:00.123456', thread: '1', caller: 'leaderelection.go:257' },
      },
    ],
    ['\r', { message: '' }],
    [
      '2026/02/19 10:30:37 \u001b[32m/go/src/flyteadmin/pkg/repositories/gormimpl/execution_repo.go:68',
      {
        message: '/go/src/flyteadmin/pkg/repositories/gormimpl/execution_repo.go:68',
        time: '2026/02/19 10:30:37',
      },
    ],
    [
      '\u001b[0m\u001b[33m[214.113ms] \u001b[34;1m[rows:1]\u001b[0m SELECT * FROM "executions" WHERE ...',
      { message: '[214.113ms] [rows:1] SELECT * FROM "executions" WHERE ...' },
    ],
    [
      'ts="2026-02-19T10:30:38Z" level=info msg="Processing Workflow." exec_id=a7hzqtz5cm6k2dnm7k2w ns=ml-production routine=worker-2',
      {
        message: 'Processing Workflow.',
        level: 'INFO',
        time: '2026-02-19T10:30:38Z',
        attributes: { exec_id: 'a7hzqtz5cm6k2dnm7k2w', ns: 'ml-production', routine: 'worker-2' },
      },
    ],
    [
      '2026-08-21T10:30:38.123Z\tINFO\trestarting task in-place\t{"controller": "taskaction", "namespace": "flyte", "name": "rqx7h5d2k9lm4n8vbtcw-a0", "attempt": 2, "maxAttempts": 4}',
      {
        message: 'restarting task in-place',
        level: 'INFO',
        time: '2026-08-21T10:30:38.123Z',
        attributes: {
          fields:
            '{"controller": "taskaction", "namespace": "flyte", "name": "rqx7h5d2k9lm4n8vbtcw-a0", "attempt": 2, "maxAttempts": 4}',
        },
      },
    ],
  ])('%s', (line, expected) => {
    expect(samples).toContain(line);
    expect(readText(line)).toEqual(log(expected));
  });
});

describe('the noise between the steps of a training job', () => {
  test.each<[string, Expected]>([
    [
      'Downloading s3://bucket/metadata/propeller/ml-production-f12ab/inputs.pb to /tmp/flyte/inputs.pb',
      {
        message: 'Downloading s3://bucket/metadata/propeller/ml-production-f12ab/inputs.pb to /tmp/flyte/inputs.pb',
      },
    ],
    [
      '/usr/local/lib/python3.11/site-packages/pandas/core/frame.py:1: FutureWarning: default of observed=False is deprecated',
      {
        message: 'FutureWarning: default of observed=False is deprecated',
        level: 'WARN',
        attributes: { caller: '/usr/local/lib/python3.11/site-packages/pandas/core/frame.py:1' },
      },
    ],
    ['  File "/root/workflow.py", line 42, in train', { message: '  File "/root/workflow.py", line 42, in train' }],
    [
      'INFO:botocore.credentials:Found credentials in environment variables.',
      { message: 'Found credentials in environment variables.', level: 'INFO', logger: 'botocore.credentials' },
    ],
    [
      'Epoch 3/10 loss=0.1234 acc=0.9321 [=======>......] 71% eta 00:12',
      { message: 'Epoch 3/10 loss=0.1234 acc=0.9321 [=======>......] 71% eta 00:12' },
    ],
    [
      '[W socket.cpp:426] warning: The server socket has failed to bind to [::]:29500',
      {
        message: 'warning: The server socket has failed to bind to [::]:29500',
        level: 'WARN',
        attributes: { caller: 'socket.cpp:426' },
      },
    ],
    ['{not json at all', { message: '{not json at all' }],
    ["tar: Removing leading `/' from member names", { message: "tar: Removing leading `/' from member names" }],
    [
      '2026-11-20 10:30:45,123 - root - WARNING - retrying in 3 s',
      { message: 'retrying in 3 s', level: 'WARN', logger: 'root', time: '2026-11-20 10:30:45,123' },
    ],
  ])('%s', (line, expected) => {
    expect(readText(line)).toEqual(log(expected));
  });
});

const TIME = '2026-11-20 10:30:45,123';
const Z = '2026-11-20T10:30:45.123Z';

describe('a well-known layout is taken apart', () => {
  test.each<[string, string, Expected]>([
    ['Python', `${TIME} WARNING a.b: msg`, { message: 'msg', level: 'WARN', logger: 'a.b', time: TIME }],
    ['Python', `${TIME} WARNING trainer: msg`, { message: 'msg', level: 'WARN', logger: 'trainer', time: TIME }],
    ['Python', `${TIME} [ERROR] a.b: msg`, { message: 'msg', level: 'ERROR', logger: 'a.b', time: TIME }],
    ['Python', `${TIME} [a.b] [ERROR] msg`, { message: 'msg', level: 'ERROR', logger: 'a.b', time: TIME }],
    ['Python', `${TIME} - INFO - msg`, { message: 'msg', level: 'INFO', time: TIME }],
    ['Python', `${TIME} - INFO - __main__ - msg`, { message: 'msg', level: 'INFO', logger: '__main__', time: TIME }],
    ['Python', `${TIME} root INFO msg`, { message: 'msg', level: 'INFO', logger: 'root', time: TIME }],
    ['Python', `${TIME} INFO msg`, { message: 'msg', level: 'INFO', time: TIME }],
    ['Python', `${TIME} - a.b - CRITICAL - x - y`, { message: 'x - y', level: 'FATAL', logger: 'a.b', time: TIME }],
    ['Python', 'WARNING:root:a:b', { message: 'a:b', level: 'WARN', logger: 'root' }],
    ['Python', 'root - INFO - msg', { message: 'msg', level: 'INFO', logger: 'root' }],
    [
      'Python',
      '<frozen importlib._bootstrap>:283: DeprecationWarning: old',
      {
        message: 'DeprecationWarning: old',
        level: 'WARN',
        attributes: { caller: '<frozen importlib._bootstrap>:283' },
      },
    ],
    [
      'Python',
      '<string>:1: UserWarning: old',
      { message: 'UserWarning: old', level: 'WARN', attributes: { caller: '<string>:1' } },
    ],
    ['flytekit', '[flytekit.telemetry] msg', { message: 'msg', logger: 'flytekit.telemetry' }],
    ['flytekit', '[developer] ', { message: '', logger: 'developer' }],
    [
      'Flyte 2',
      '[rqx7h5d2k9lm4n8vbtcw][a0] epoch 1',
      { message: 'epoch 1', attributes: { run_name: 'rqx7h5d2k9lm4n8vbtcw', action_name: 'a0' } },
    ],
    ['Flyte 2', '[flyte] ERROR msg', { message: 'msg', level: 'ERROR', logger: 'flyte' }],
    [
      'loguru',
      '2026-11-20 10:30:45.123 | SUCCESS  | a.b:<module>:3 - msg',
      {
        message: 'msg',
        level: 'INFO',
        logger: 'a.b',
        time: '2026-11-20 10:30:45.123',
        attributes: { caller: '<module>:3' },
      },
    ],
    [
      'structlog',
      '2026-11-20 10:30:45 [info     ] hi k=v',
      { message: 'hi k=v', level: 'INFO', time: '2026-11-20 10:30:45' },
    ],
    [
      'Celery',
      `[${TIME}: ERROR/ForkPoolWorker-1] msg`,
      { message: 'msg', level: 'ERROR', time: TIME, attributes: { process: 'ForkPoolWorker-1' } },
    ],
    [
      'Airflow',
      '[2026-11-20T10:30:45.123+0000] {taskinstance.py:1150} INFO - msg',
      { message: 'msg', level: 'INFO', time: Z, attributes: { caller: 'taskinstance.py:1150' } },
    ],
    [
      'Gunicorn',
      '[2026-11-20 10:30:45 +0000] [7] [INFO] msg',
      { message: 'msg', level: 'INFO', time: '2026-11-20T10:30:45Z', attributes: { pid: '7' } },
    ],
    ['Hydra', `[${TIME}][__main__][INFO] - msg`, { message: 'msg', level: 'INFO', logger: '__main__', time: TIME }],
    ['Flask', `[${TIME}] INFO in app: msg`, { message: 'msg', level: 'INFO', logger: 'app', time: TIME }],
    [
      'DeepSpeed',
      `[${TIME}] [INFO] [real_accelerator.py:203:get_accelerator] msg`,
      { message: 'msg', level: 'INFO', time: TIME, attributes: { caller: 'real_accelerator.py:203:get_accelerator' } },
    ],
    [
      'transformers',
      `[WARNING|trainer.py:12] ${TIME} >> msg`,
      { message: 'msg', level: 'WARN', time: TIME, attributes: { caller: 'trainer.py:12' } },
    ],
    [
      'TensorFlow',
      '2026-11-20 10:30:45.123456: W tensorflow/core/x.cc:182] msg',
      {
        message: 'msg',
        level: 'WARN',
        time: '2026-11-20 10:30:45.123456',
        attributes: { caller: 'tensorflow/core/x.cc:182' },
      },
    ],
    [
      'torch',
      '[rank0]:[W1120 10:00:00.123456789 ProcessGroupNCCL.cpp:1250] Warning: msg',
      {
        message: 'Warning: msg',
        level: 'WARN',
        attributes: { rank: '0', clock: '1120 10:00:00.123456789', caller: 'ProcessGroupNCCL.cpp:1250' },
      },
    ],
    [
      'torch',
      '[rank1]:V1120 10:00:00.123000 12345 torch/_inductor/utils.py:1436] [0/0] msg',
      {
        message: '[0/0] msg',
        level: 'DEBUG',
        attributes: {
          rank: '1',
          clock: '1120 10:00:00.123000',
          thread: '12345',
          caller: 'torch/_inductor/utils.py:1436',
        },
      },
    ],
    ['LightGBM', '[LightGBM] [Warning] msg', { message: 'msg', level: 'WARN', logger: 'LightGBM' }],
    ['Ray', '(func pid=123) msg', { message: 'msg', attributes: { ray_task: 'func', pid: '123' } }],
    [
      'Ray',
      '\u001b[36m(train pid=12, ip=10.0.0.1)\u001b[0m INFO:root:msg',
      { message: 'msg', level: 'INFO', logger: 'root', attributes: { ray_task: 'train', pid: '12', ip: '10.0.0.1' } },
    ],
    [
      'Ray',
      `${TIME}\tINFO worker.py:1724 -- msg`,
      { message: 'msg', level: 'INFO', time: TIME, attributes: { caller: 'worker.py:1724' } },
    ],
    [
      'Spark',
      '26/11/20 10:30:45 WARN TaskSetManager: Lost task 0.0',
      { message: 'Lost task 0.0', level: 'WARN', logger: 'TaskSetManager', time: '2026-11-20 10:30:45' },
    ],
    [
      'Spring',
      '2026-11-20T10:30:45.123Z  INFO 1 --- [           main] c.e.demo.App   : msg',
      { message: 'msg', level: 'INFO', logger: 'c.e.demo.App', time: Z, attributes: { pid: '1', thread: 'main' } },
    ],
    [
      'logback',
      `${TIME} [main] INFO  c.e.Foo - msg`,
      { message: 'msg', level: 'INFO', logger: 'c.e.Foo', time: TIME, attributes: { thread: 'main' } },
    ],
    [
      'glog',
      'E20261120 10:30:45.123000    17 a.cc:12] msg',
      { message: 'msg', level: 'ERROR', time: TIME, attributes: { thread: '17', caller: 'a.cc:12' } },
    ],
    [
      'zap',
      `${Z}\tERROR\tsetup\tmain.go:12\tmsg\t{"a": 2}`,
      {
        message: 'msg',
        level: 'ERROR',
        logger: 'setup',
        time: Z,
        attributes: { caller: 'main.go:12', fields: '{"a": 2}' },
      },
    ],
    [
      'go-kit',
      `ts=${Z} caller=main.go:1 level=warn msg="a \\"b\\" \\u00e9\\n\\x41" err= logger=x`,
      {
        message: 'a "b" é\nA',
        level: 'WARN',
        logger: 'x',
        time: Z,
        attributes: { caller: 'main.go:1', err: '' },
      },
    ],
    ['tracing', `${Z}  INFO my_crate::net: msg`, { message: 'msg', level: 'INFO', logger: 'my_crate::net', time: Z }],
    ['npm', 'npm WARN deprecated x', { message: 'deprecated x', level: 'WARN', logger: 'npm' }],
    ['npm', 'npm ERR! code 1', { message: 'code 1', level: 'ERROR', logger: 'npm' }],
    [
      'Alembic',
      'INFO  [alembic.runtime.migration] msg',
      { message: 'msg', level: 'INFO', logger: 'alembic.runtime.migration' },
    ],
    ['Jupyter', `[I ${TIME} ServerApp] msg`, { message: 'msg', level: 'INFO', logger: 'ServerApp', time: TIME }],
    ['Uvicorn', 'INFO:     127.0.0.1 - "GET /"', { message: '127.0.0.1 - "GET /"', level: 'INFO' }],
    ['a tool', '[ERROR] msg', { message: 'msg', level: 'ERROR' }],
    ['a tool', '[warning] msg', { message: 'msg', level: 'WARN' }],
    ['a tool', 'ERROR: msg', { message: 'msg', level: 'ERROR' }],
    ['a tool', 'error: msg', { message: 'msg', level: 'ERROR' }],
    ['a tool', 'WARN msg', { message: 'msg', level: 'WARN' }],
  ])('%s: %s', (_, line, expected) => {
    expect(readText(line)).toEqual(log(expected));
  });
});

describe('when unsure, the message is the whole line', () => {
  test.each<[string, Expected['level']]>([
    ['the error is gone', undefined],
    ['An Error: nothing', undefined],
    ['no ERRORS, no WARNINGS', undefined],
    ['ERROR_CODE 7', undefined],
    ['STACK TRACE follows', undefined],
    ['log level is "ERROR"', undefined],
    ['{"levelname": "INFO", "message": "an ERROR and so on', undefined],
    [`${'x'.repeat(80)} ERROR late`, undefined],
    ['2026-13-20 10:30:45,123 - root - WARNING - no such month', 'WARN'],
    ['I20261320 10:30:45.123 17 a.cc:12] no such month', undefined],
    ['[10:30:45] WARNING: /src/learner.cc:767: msg', 'WARN'],
    ['host:1:2 [0] NCCL INFO Bootstrap', 'INFO'],
    ['wandb: ERROR msg', 'ERROR'],
    ['Error: Cannot find module', 'ERROR'],
    ['panic: runtime error', 'FATAL'],
    ['ERROR', 'ERROR'],
    ['level=warn no pairs here', undefined],
    ['level=warn foo=1', 'WARN'],
    ['loss=0.1 acc=0.9', undefined],
    ['[a][b] msg', undefined],
    ['level=info msg="never closed', undefined],
  ])('%s', (line, level) => {
    expect(readText(line)).toEqual({ message: line, ...(level === undefined ? {} : { level }) });
  });

  test('a capital before a colon is the message, not a logger', () => {
    expect(readText(`${TIME} INFO Epoch: 3`)).toEqual(log({ message: 'Epoch: 3', level: 'INFO', time: TIME }));
  });

  test('a time alone says when, and the level is looked for behind it', () => {
    expect(readText(`${TIME} got ERROR from server`)).toEqual(
      log({ message: 'got ERROR from server', level: 'ERROR', time: TIME }),
    );
  });
});

describe('colours and progress bars', () => {
  test.each([
    ['plain', 'plain'],
    ['\u001b[1;31mred\u001b[0m', 'red'],
    ['\u001b]8;;http://x/\u001b\\link\u001b]8;;\u0007!', 'link!'],
    ['\u001b[2K\u001b[1Aup', 'up'],
    ['cut \u001b[', 'cut \u001b['],
  ])('%j is shown as %j', (text, shown) => {
    expect(stripAnsi(text)).toBe(shown);
  });

  test.each([
    ['no return', 'no return'],
    ['  kept  ', '  kept  '],
    ['crlf\r', 'crlf'],
    ['1%\r2%\r\r', '2%'],
    ['1%\r2%\r   \r', '2%'],
    [' 1%\r 2%', ' 2%'],
    ['\r\r', ''],
    ['10%\rINFO:root:done', 'INFO:root:done'],
  ])('%j leaves %j', (text, shown) => {
    expect(collapseProgress(text)).toBe(shown);
  });
});

test('any text at all has a message', () => {
  const part = fc.constantFrom(
    TIME,
    '[',
    ']',
    ' ',
    'ERROR',
    'WARNING',
    ': ',
    'a.b',
    'k="',
    '\\',
    '"',
    '\t',
    '\r',
    '\u001b[',
    '{',
    ' - ',
    '=',
  );
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.oneof(part, fc.string())).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(line, (text) => {
      const { message } = readText(text);
      expect(typeof message).toBe('string');
      expect(message.length).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 1000 },
  );
});

const MIB = 1 << 20;

test.each([
  ...[
    ' ',
    '[',
    ']',
    '1',
    '"',
    "'",
    '\\',
    '.',
    ':',
    '(',
    '\t',
    '\r',
    'a',
    'a.',
    'a::',
    'a=b ',
    '\u001b',
    '\u001b[',
    '\u001b[0',
    '[a]',
  ].map((unit): [string, string] => [unit, unit.repeat(MIB / unit.length)]),
  ['a time and blanks', `${TIME}${' '.repeat(MIB)}`],
  ['a time and tabs', `${Z}\tINFO${'\t{'.repeat(MIB / 2)}}`],
  ['an open quote', `level=info msg="${'\\"'.repeat(MIB / 2)}`],
  ['backslashes', `level=info msg="${'\\'.repeat(MIB)}`],
  ['an open hyperlink', `\u001b]${'a'.repeat(MIB)}`],
])('a megabyte of %j costs milliseconds', (_, line) => {
  readText(line);
  const start = performance.now();
  readText(line);
  // Measured: 0.05 ms, and 4 to 20 ms where every character is an escape or a return. Quadratic would be minutes.
  expect(performance.now() - start).toBeLessThan(500);
});

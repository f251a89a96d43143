import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readText } from '../../../src/dialects/log/text.ts';
import { log, TIME, Z, type Expected } from './expected.ts';

const samples = new Set(readFileSync('test/fixtures/flyte-samples.log', 'utf8').split('\n'));

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
    expect(readText(line)).toEqual(log({ message: line, level }));
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

import { describe, expect, test } from 'vitest';
import { readText } from '../../../src/dialects/log/text.ts';
import { log, TIME, Z, type Expected } from './expected.ts';

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

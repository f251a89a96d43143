import { describe, expect, test } from 'vitest';
import { pythonLevel, readLevel } from '../../../src/dialects/log/level.ts';

describe('every spelling of a level is one of six', () => {
  test.each([
    ['TRACE', ['TRACE', 'trace', 'silly', 'FINEST', 10]],
    ['DEBUG', ['DEBUG', 'Debug', 'debug', 'D', 'V', 'verbose', 'FINE', 20, '20']],
    ['INFO', ['INFO', 'info', 'Information', 'NOTICE', 'notice', 'SUCCESS', 'I', ' info ', 30, 35]],
    ['WARN', ['WARNING', 'WARN', 'warn', 'warning', 'Warning', 'W', 40]],
    ['ERROR', ['ERROR', 'error', 'err', 'ERR', 'SEVERE', 'dpanic', 'E', 50]],
    ['FATAL', ['CRITICAL', 'crit', 'FATAL', 'fatal', 'panic', 'ALERT', 'EMERGENCY', 'emerg', 'F', 60]],
  ])('%s', (level, spellings) => {
    for (const spelling of spellings) expect([spelling, readLevel(spelling)]).toEqual([spelling, level]);
  });

  test.each([
    'NOTSET',
    'DEFAULT',
    'default',
    'off',
    'none',
    'unknown',
    '',
    ' ',
    'the error is gone',
    'x'.repeat(1 << 20),
    0,
    3,
    9,
    -10,
    1e6,
    NaN,
    Infinity,
    true,
    null,
    undefined,
    {},
    ['error'],
  ])('%j is no level', (value) => {
    expect(readLevel(value)).toBeUndefined();
  });
});

test.each([
  [0, undefined],
  [5, 'TRACE'],
  [10, 'DEBUG'],
  [20, 'INFO'],
  [25, 'INFO'],
  [30, 'WARN'],
  [40, 'ERROR'],
  [50, 'FATAL'],
  [NaN, undefined],
])("Python's levelno %d is one step above pino's scale", (levelno, level) => {
  expect(pythonLevel(levelno)).toBe(level);
});

import fc from 'fast-check';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { eventLine, type Row } from '../../src/live/line.ts';
import { messagesOf } from '../../src/live/messages.ts';
import { plain, type Paint } from '../../src/terminal/paint.ts';
import { width } from '../../src/terminal/text.ts';

const ts = '2026-02-19T10:30:44.189512Z';
const step = {
  ts,
  kind: 'step',
  step: 'download_data',
  status: 'success',
  wall_time_s: 1.516,
  task: 'workflows.train.fit',
};
const whose = { execution_id: 'a7hzqtz5cm6k2dnm7k2w', pod: 'a7hzqtz5cm6k2dnm7k2w-n0-0' };
const failed = { ...step, status: 'error', wall_time_s: 0.0004, error_type: 'ValueError', attempt: 2 };
const log = { ts, kind: 'log', level: 'WARN', logger: 'user_space', message: 'low on memory\nand more' };
const trace =
  'Traceback (most recent call last):\n  File "/root/train.py", line 41, in fit\nValueError: shape mismatch';
const error = { ts, kind: 'error', root_error_type: 'ValueError', message: trace, task: 'workflows.train.fit' };

const at =
  (columns: number, paint: Paint = plain) =>
  (row: Row) =>
    eventLine(row, { columns, paint, dates: false });

describe('an event is one line', () => {
  test('of 80 columns', () => {
    expect(
      [
        step,
        failed,
        log,
        error,
        { ts, kind: 'task', event: 'TaskCompleted', task: 'simulate', wall_time_s: 725, attempt: 1 },
        { ts, kind: 'resource', event: 'ResourceUpdate', node: 'n1', cpu_percent: 41.6, gpu_percent: 0 },
        { ts },
      ].map(at(80)),
    ).toEqual([
      '10:30:44.189  ok      1.52 s  download_data  workflows.train.fit',
      '10:30:44.189  FAIL    0.4 ms  download_data  ValueError  workflows.train.fit ...',
      '10:30:44.189  WARN            user_space  low on memory (+1 lines)',
      '10:30:44.189  ERROR           ValueError: shape mismatch (+2 lines)  workflow...',
      '10:30:44.189          12m05s  simulate  attempt 1',
      '10:30:44.189                  ResourceUpdate  n1  cpu 42 %  gpu 0 %',
      '10:30:44.189',
    ]);
  });

  test('of 160 columns, which also says whose it is', () => {
    expect(at(160)({ ...step, ...whose })).toBe(
      '10:30:44.189  ok      1.52 s  download_data  workflows.train.fit  a7hzqtz5cm6k2dnm7k2w a7hzqtz5cm6k2dnm7k2w-n0-0',
    );
  });

  test('with its date in a pipe, where no line is cut', () => {
    const row = { ...log, message: 'x'.repeat(500) };
    expect(eventLine(row, { columns: Number.POSITIVE_INFINITY, paint: plain, dates: true })).toBe(
      `2026-02-19T10:30:44.189Z  WARN            user_space  ${'x'.repeat(500)}`,
    );
  });

  test('in colours where it went wrong', () => {
    expect(at(80, (colour, text) => `<${colour}>${text}</>`)(failed)).toContain('<red>FAIL  </>');
  });

  test('of no more columns than there are, whatever it holds, and a terminal obeys nothing in it', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.double(),
      fc.constant('\x1b]0;owned\x07\r\n\u202e\u009b31m'),
    );
    const names = [
      'ts',
      'kind',
      'status',
      'level',
      'step',
      'task',
      'message',
      'logger',
      'wall_time_s',
      'error_type',
      'pod',
      'attempt',
    ];
    const rows = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 200 }), (row, columns) => {
        const line = at(columns)(row);
        expect(line).toBe(stripVTControlCharacters(line));
        expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2028\u2029]/u);
        expect(width(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });
});

test('a stream that comes in any pieces is the same events', async () => {
  const text = ':\n\nid: a\nevent: step\ndata: {"message":"ä😀"}\n\n:\n\nevent: end\ndata: {}\n\nevent: cut';
  const bytes = Buffer.from(text);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length })), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((to, n) => bytes.subarray(places[n], to));
      const seen = [];
      for await (const message of messagesOf(
        (async function* () {
          yield* pieces;
        })(),
      ))
        seen.push(message);
      expect(seen).toEqual([
        { event: 'step', data: '{"message":"ä😀"}' },
        { event: 'end', data: '{}' },
      ]);
    }),
  );
});

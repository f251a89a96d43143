import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { continueStack, startStack } from '../../../src/dialects/log/stack.ts';
import { chained, megabyte, simple, stacks, UNITS } from './stacks.ts';

/** What a caller does: stacks joined, and every other line for itself. */
function join(lines: readonly string[]): string[][] {
  const out: string[][] = [];
  for (let i = 0; i < lines.length;) {
    let state = startStack(lines[i] ?? '');
    let end = i + 1;
    let held = 0;
    while (state !== undefined && end < lines.length) {
      state = continueStack(state, lines[end] ?? '');
      if (state !== undefined) {
        held = state.held;
        end++;
      }
    }
    end -= held;
    out.push(lines.slice(i, end));
    i = end;
  }
  return out;
}

describe('the lines of a stack are one', () => {
  test.each(stacks)('%s', (_, lines) => {
    expect(join(lines)).toEqual([lines]);
  });

  test.each(stacks)('%s, with a log before and behind', (_, lines) => {
    expect(join(['INFO start', ...lines, 'loading 12 shards', 'INFO:root:done'])).toEqual([
      ['INFO start'],
      lines,
      ['loading 12 shards'],
      ['INFO:root:done'],
    ]);
  });

  test.each(stacks)('%s, with a blank line behind that is given back', (_, lines) => {
    expect(join([...lines, '', 'loading 12 shards'])).toEqual([lines, [''], ['loading 12 shards']]);
    expect(join([...lines, ''])).toEqual([lines, ['']]);
  });

  test('two tracebacks that are not chained are two', () => {
    expect(join([...simple, ...simple])).toEqual([simple, simple]);
    expect(join([...simple, '', ...simple])).toEqual([simple, [''], simple]);
  });

  test.each([
    ['INFO:root:next'],
    ['{"message": "next"}'],
    ["tar: Removing leading `/' from member names"],
    ['ERROR: next'],
    ['Downloading s3://bucket/x to /tmp/x'],
    ['Done'],
  ])('a traceback that was cut off does not take the next line: %s', (next) => {
    expect(join([...simple.slice(0, 2), next])).toEqual([simple.slice(0, 2), [next]]);
    expect(join([...simple.slice(0, 1), next])).toEqual([simple.slice(0, 1), [next]]);
  });

  test('three blank lines end a stack', () => {
    expect(join([...chained.slice(0, 4), '', '', '', ...chained.slice(5, 6)])).toHaveLength(5);
  });

  test.each([
    'it printed Traceback (most recent call last): and so on',
    '"Traceback (most recent call last):',
    'ValueError: alone',
    'panicking: no',
    'goroutine 7 was lost',
    'java.lang.String: not an exception',
    '[flytekit] Message:',
    '',
  ])('%j begins no stack', (line) => {
    expect(startStack(line)).toBeUndefined();
  });
});

test('no text stops the joining: every line comes out once, in order', () => {
  const known = [...new Set(stacks.flatMap(([, lines]) => lines)), '', ' ', '\t'];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...known), fc.string())), (lines) => {
      expect(join(lines).flat()).toEqual(lines);
    }),
    { numRuns: 1000 },
  );
});

test.each(UNITS)('a megabyte of %j costs milliseconds', (unit) => {
  const text = megabyte(unit);
  const start = performance.now();
  for (const line of [text, `panic: ${text}`, `${text}:`]) startStack(line);
  for (const [, lines] of stacks) {
    const state = startStack(lines[0] ?? '');
    if (state !== undefined) continueStack(state, text);
  }
  // Measured: at most 200 ms for all calls, half of it trimming. Quadratic would be minutes.
  expect(performance.now() - start).toBeLessThan(3000);
});

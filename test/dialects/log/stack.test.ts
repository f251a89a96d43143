import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { continueStack, rootErrorType, startStack } from '../../../src/dialects/log/stack.ts';

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

const simple = [
  'Traceback (most recent call last):',
  '  File "/root/workflows/train.py", line 12, in <module>',
  '    import torch',
  "ModuleNotFoundError: No module named 'torch'",
];

const captured = [
  '[flytekit] Trace:',
  '',
  '    Traceback (most recent call last):',
  '      File "/root/workflows/train.py", line 41, in fit',
  '    ValueError: shape mismatch (3, 4)',
  '',
  'Message:',
  '',
  '    ValueError: shape mismatch (3, 4)',
];

// Python 3.11 printed the next two, Go 1.26 and Java 17 the two after them.
const chained = [
  'Traceback (most recent call last):',
  '  File "/tmp/sx.py", line 7, in g',
  '    raise socket.timeout("t")',
  'TimeoutError: t',
  '',
  'The above exception was the direct cause of the following exception:',
  '',
  'Traceback (most recent call last):',
  '  File "/tmp/sx.py", line 10, in <module>',
  '    try: g()',
  '         ^^^',
  '  [Previous line repeated 995 more times]',
  '  File "/tmp/sx.py", line 9, in g',
  '    raise Loc("multi") from e',
  'pkg.g.<locals>.Loc: multi',
  '',
  'During handling of the above exception, another exception occurred:',
  '',
  'Traceback (most recent call last):',
  '  File "/tmp/sx.py", line 12, in <module>',
  '    raise KeyboardInterrupt',
  'KeyboardInterrupt',
];

const group = [
  'Traceback (most recent call last):',
  '  File "/tmp/eg.py", line 5, in <module>',
  '    raise KeyError("first")',
  "KeyError: 'first'",
  '',
  'During handling of the above exception, another exception occurred:',
  '',
  '  + Exception Group Traceback (most recent call last):',
  '  |   File "/tmp/eg.py", line 12, in <module>',
  '  |     raise ExceptionGroup("g", es)',
  '  | ExceptionGroup: g (2 sub-exceptions)',
  '  +-+---------------- 1 ----------------',
  '    | Traceback (most recent call last):',
  '    |   File "/tmp/eg.py", line 9, in <module>',
  '    |     try: f()',
  '    |          ^^^',
  '    | ValueError: a',
  '    +---------------- 2 ----------------',
  '    | TypeError: no trace',
  '    +------------------------------------',
  '',
  'The above exception was the direct cause of the following exception:',
  '',
  'Traceback (most recent call last):',
  '  File "/tmp/eg.py", line 14, in <module>',
  '    raise RuntimeError("outer") from g',
  'RuntimeError: outer',
];

const go = [
  'panic: assignment to entry in nil map [recovered]',
  '\tpanic: again',
  '\tsecond line: assignment to entry in nil map',
  '',
  'goroutine 1 [running]:',
  'main.main.func2()',
  '\t/tmp/gj/m.go:7 +0x5a',
  'panic({0x4ae2a0?, 0x57e250?})',
  '\t/usr/local/go/src/runtime/panic.go:860 +0x13a',
  'main.(*T).Run(...)',
  '\t/tmp/gj/m.go:4',
  '',
  'goroutine 7 [select (no cases)]:',
  'main.main.func1()',
  '\t/tmp/gj/m.go:6 +0xf',
  'created by main.main in goroutine 1',
  '\t/tmp/gj/m.go:6 +0x26',
  'exit status 2',
];

const java = [
  'Exception in thread "main" M$Inner: wrapped',
  '\tat M.main(M.java:2)',
  '\tSuppressed: java.io.IOException: s',
  '\t\tat M.main(M.java:2)',
  '\t\t... 1 more',
  'Caused by: java.lang.NullPointerException: Cannot invoke "Object.toString()" because "<local1>" is null',
  '\tat java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)',
  '\t... 7 common frames omitted',
];

const worker = [
  'Traceback (most recent call last):',
  '  File "train.py", line 3, in <module>',
  'RuntimeError: Caught KeyError in DataLoader worker process 0.',
  'Original Traceback (most recent call last):',
  '  File "worker.py", line 309, in _worker_loop',
  "KeyError: 'x'",
];

const spark = [
  'Traceback (most recent call last):',
  '  File "job.py", line 3, in <module>',
  'py4j.protocol.Py4JJavaError: An error occurred while calling o1.load.',
  ': org.apache.spark.SparkException: Job aborted.',
  '\tat org.apache.spark.Foo.bar(Foo.scala:1)',
  'Caused by: java.lang.OutOfMemoryError: Java heap space',
  '\tat java.base/java.lang.Thread.run(Thread.java:840)',
];

const stacks: [string, string[], string | undefined][] = [
  ['a traceback of the interpreter', simple, 'ModuleNotFoundError'],
  ["flytekit's captured trace as text", captured, 'ValueError'],
  ['a chain of three exceptions', chained, 'KeyboardInterrupt'],
  ['an exception group with a cause and a consequence', group, 'RuntimeError'],
  ['an exception group alone', group.slice(7, -7), 'ValueError'],
  ['a Go panic', go, undefined],
  ['a Go dump without a panic', go.slice(4), undefined],
  ['a Java stack', java, 'NullPointerException'],
  [
    'a Java stack without a thread',
    ['java.lang.IllegalStateException: x', ...java.slice(1, 2)],
    'IllegalStateException',
  ],
  ["a worker's traceback inside a message", worker, 'KeyError'],
  ["Spark's stack inside a Python message", spark, 'Py4JJavaError'],
  ['an indented traceback', simple.map((line) => `    ${line}`), 'ModuleNotFoundError'],
  ["every line behind torchrun's rank", chained.map((line) => `[rank0]: ${line}`), 'KeyboardInterrupt'],
  [
    "every line behind Ray's process",
    simple.map((line) => `(train pid=7, ip=10.0.0.1) ${line}`),
    'ModuleNotFoundError',
  ],
  ['a traceback behind a logger', [`ERROR:root:${simple[0]}`, ...simple.slice(1)], 'ModuleNotFoundError'],
  ['a traceback behind [flytekit]', [`[flytekit] ${simple[0]}`, ...simple.slice(1)], 'ModuleNotFoundError'],
  ['a traceback without frames', ['Traceback (most recent call last):', 'MemoryError'], 'MemoryError'],
];

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

  test.each(stacks)('%s, and the class is known', (_, lines, type) => {
    expect(rootErrorType(lines.join('\n'))).toBe(type);
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

describe('the class that was raised', () => {
  const trace = readFileSync('test/fixtures/flyte-samples.log', 'utf8')
    .split('\n')
    .filter((line) => line.includes('"message": "Trace:'))
    .map((line) => (JSON.parse(line) as { message: string }).message);

  test.each<[string, string | undefined]>([
    [trace[0] ?? '', 'ValueError'],
    ['Traceback (most recent call last):\n  File "x", line 1\npkg.mod.MyError: x', 'MyError'],
    ['Traceback (most recent call last):\n  File "x", line 1\nKeyboardInterrupt', 'KeyboardInterrupt'],
    ['Traceback (most recent call last):\n  File "x", line 1\nqueue.Empty\n', 'Empty'],
    ['Traceback (most recent call last):\n  File "x", line 1\nzlib.error: Error -3', 'error'],
    ['Traceback (most recent call last):\r\n  File "x", line 1\r\nKeyError: 1\r\n', 'KeyError'],
    [
      'Traceback (most recent call last):\n  File "x", line 1\nMyFailure: bad\nHint: use another\nOtherError: no',
      'MyFailure',
    ],
    ['Traceback (most recent call last):\n  File "x", line 1\nValueError: \n  a\n  b', 'ValueError'],
    ['  File "x", line 1\n    a b\n      ^\nSyntaxError: invalid syntax', 'SyntaxError'],
    ['Message:\n\n    ValueError: shape mismatch (3, 4)', 'ValueError'],
    [
      'Trace:\n\n    Traceback (most recent call last):\n      File "x", line 1\n    a.Bad: x\n\nMessage:\n\n    timeout: y\n    KeyError: z',
      'timeout',
    ],
    ['Trace:\n\n    Traceback (most recent call last):\n      File "x", line 1\n    a.Bad: cut', 'Bad'],
    [
      'Traceback (most recent call last):\n  File "x", line 1\nKeyError: 1\n\nDuring handling\n\nTraceback (most recent call last):\n  Fi',
      'KeyError',
    ],
    ['TypeError: x is not a function\n    at f (/a.js:1:2)', 'TypeError'],
    ['a.B: x\n\tat c.D.e(D.java:1)\nCaused by: c.First: 1\nCaused by: c.Outer$Last: 2', 'Last'],
    ['panic: boom\n\ngoroutine 1 [running]:\nmain.main()', undefined],
    ['no class in here', undefined],
    ['', undefined],
  ])('%j', (text, type) => {
    expect(rootErrorType(text)).toBe(type);
  });
});

test('no text stops the joining: every line comes out once, in order', () => {
  const known = [...new Set(stacks.flatMap(([, lines]) => lines)), '', ' ', '\t'];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...known), fc.string())), (lines) => {
      expect(join(lines).flat()).toEqual(lines);
      rootErrorType(lines.join('\n'));
    }),
    { numRuns: 1000 },
  );
});

const MIB = 1 << 20;

test.each([
  ' ',
  '\n',
  '\t',
  '[',
  '1',
  '"',
  '.',
  '$',
  'a.',
  'a',
  '(',
  '| ',
  'Traceback (most recent call last):',
  '\nCaused by: ',
  '\n at ',
])('a megabyte of %j costs milliseconds', (unit) => {
  const text = unit.repeat(MIB / unit.length);
  const start = performance.now();
  for (const line of [text, `panic: ${text}`, `${text}:`]) startStack(line);
  for (const [, lines] of stacks) {
    const state = startStack(lines[0] ?? '');
    if (state !== undefined) continueStack(state, text);
  }
  rootErrorType(text);
  rootErrorType(`Traceback (most recent call last):\n${text}`);
  // Measured: at most 200 ms for the 22 calls, half of it trimming. Quadratic would be minutes.
  expect(performance.now() - start).toBeLessThan(3000);
});

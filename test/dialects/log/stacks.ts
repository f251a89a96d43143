/* Stacks as they were printed. */

export const simple = [
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
export const chained = [
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

/** What it is called, its lines, and the class that was raised. */
export const stacks: [string, string[], string | undefined][] = [
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

/** What a careless regular expression needs minutes for, if there is a megabyte of it. */
export const UNITS = [
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
];

export function megabyte(unit: string): string {
  return unit.repeat((1 << 20) / unit.length);
}

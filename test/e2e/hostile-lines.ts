/*
 * Lines that break programs which read logs, each with what steptap makes of it. They stand between good steps: see hostile.test.ts.
 */

import { stepLine } from '../support/e2e.ts';

/** What becomes of a line: events of the tables, dead letters, or nothing (a blank line). */
export type Fate = 'steps' | 'logs' | 'blank' | Rejected;
export type Rejected = 'line_too_long' | 'json_syntax' | 'schema';

export interface HostileLine {
  readonly name: string;
  /** One physical line without its newline. */
  readonly bytes: Buffer;
  readonly fates: readonly Fate[];
  /** What of it is the dead letter, when that is not the whole line. */
  readonly rejected?: Buffer;
}

const TASK = 'workflows.hostile';
/** Of a line with more records than this behind its first, the rest is one dead letter. */
const MOST_RECORDS = 32;

const DEEP = '['.repeat(10_000) + ']'.repeat(10_000);
const DIGITS = '1234567890123456789012345678901';
const LONG = 40_000;

const text = (bytes: string | Buffer): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
const joined = (...parts: (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** A step with these further members. */
function step(name: string, more: string, fate: Fate = 'steps'): HostileLine {
  return { name, bytes: text(hostile(name, more)), fates: [fate] };
}

function hostile(name: string, more: string): string {
  return stepLine({ execution_id: `hostile: ${name}`, task: TASK, more });
}

/** A step with these task inputs, as flytekit writes them: JSON text of JSON texts. */
function params(name: string, inputs: Readonly<Record<string, string>>): HostileLine {
  return step(`params ${name}`, `"params": ${JSON.stringify(JSON.stringify(inputs))}`);
}

/** Anything else. */
function line(name: string, bytes: string | Buffer, ...fates: Fate[]): HostileLine {
  return { name, bytes: text(bytes), fates: fates.length === 0 ? ['logs'] : fates };
}

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

const HALF = hostile('half', '"v": 1');
/** Several steps on one line. */
const many = (count: number): string => hostile('many on a line', '"v": 1').repeat(count);

export const HOSTILE: readonly HostileLine[] = [
  // Size
  step('a step of 10 MB', `"blob": "${'x'.repeat(10 << 20)}"`, 'line_too_long'),
  line('a text of 10 MB', 'x'.repeat(10 << 20), 'line_too_long'),
  line('a message of 900 kB', JSON.stringify({ level: 'info', message: 'm '.repeat(450_000) })),
  step('a name of 100 kB', `"step": "${'n'.repeat(100_000)}"`),
  step('a task of 40 kB', `"task_name": "${'t'.repeat(LONG)}"`),
  step('a value of 40 kB', `"v": "${'v'.repeat(LONG)}"`),
  step('a value of 32,760 bytes', `"v": "${'v'.repeat(32_760)}"`),
  step('a value of 8,191 characters of 4 bytes', `"v": "${'😀'.repeat(8_191)}"`),
  step('a key of 40 kB', `"${'k'.repeat(LONG)}": 1`),
  step('3,000 extras', Array.from({ length: 3_000 }, (_, n) => `"extra_${n}": ${n}`).join(', ')),
  line('a JSON log with a key of 40 kB', `{"level": "info", "message": "m", "${'k'.repeat(LONG)}": 1}`),

  // Bytes
  step('NUL, escaped, everywhere', '"step": "a\\u0000b", "error_type": "\\u0000", "k\\u0000ey": "v\\u0000"'),
  line('NUL in a step, raw', joined('{"event": "flytekit_step", "v": "', [0], '"}'), 'json_syntax'),
  line('NUL in a text', joined('before', [0, 0], 'after')),
  line('nothing but NUL', Buffer.alloc(64)),
  step('control characters', '"v": "\\b\\f\\u0001\\u001b[31m\\u007f\\u0085\\u2028"'),
  line('invalid UTF-8 in a value', joined(hostile('utf', '"v": "').slice(0, -1), [0xff, 0xfe, 0xc3], '"}'), 'steps'),
  line('invalid UTF-8 in a text', joined('caf', [0xe9], ' ', [0xed, 0xa0, 0x80], ' ', [0xf8, 0x88])),
  line('invalid UTF-8 in a broken step', joined('{"event": "flytekit_step", "step": "', [0xff, 0xc0]), 'json_syntax'),
  step('lone surrogates', '"step": "a\\ud800b", "task_name": "\\udfff", "v": "\\ud83d", "k\\udc00": "x"'),
  step('keys that differ only in lone surrogates', '"\\ud800": 1, "\\ud801": 2, "\\udc00": 3'),
  line(
    'lone surrogates in a message',
    '{"level": "info", "message": "half \\ud83d of it", "\\ud800": 1, "\\ud801": 2}',
  ),
  line('a byte order mark', `\ufeff${hostile('bom', '"v": 1')}`, 'steps'),

  // Shape
  step('depth 10,000', `"deep": ${DEEP}`),
  line('a JSON log of depth 10,000', `{"level": "info", "message": "m", "deep": ${DEEP}}`),
  line('depth 10,000 that never closes', '['.repeat(10_000)),
  line('a broken step of depth 10,000', `{"event": "flytekit_step", "deep": ${'{"a":'.repeat(10_000)}`, 'json_syntax'),
  step('keys twice', '"status": "error", "status": "success", "wall_time_s": 9, "wall_time_s": 1.5, "v": 1, "v": 2'),
  step('a key that steptap writes too', '"asctime": "1800-01-01 00:00:00,000", "ts_original": "mine"'),
  step(
    'a mark that steptap writes too',
    '"step": "AsyncTranslate literal to python value", "steptap.artefact": "mine"',
  ),
  line('a JSON log with keys twice', '{"level": "info", "message": "m", "v": 1, "v": 2}'),
  line('logfmt with keys twice', 'level=info msg="m" v=1 v=2 v="3"'),
  line('a process id twice', '(train pid=7) 2026-11-20 10:30:44.189  INFO 8 --- [main] com.example.Main : m'),
  step('__proto__', '"__proto__": {"status": "error"}, "constructor": {"prototype": {"x": 1}}, "toString": 1'),
  line(
    'a JSON log of __proto__',
    '{"__proto__": {"level": "error", "message": "not mine"}, "level": "info", "message": "m"}',
  ),
  step('an empty key', '"": "v"'),
  step('keys of dots and blanks', '".": 1, "..": 2, "a..b": 3, ".a": 4, "a.": 5, " ": 6, "a.b": 7, "a": 8'),
  step(
    "the stores' own names",
    '"_id": 1, "_source": 2, "@timestamp": "never", "_day": 4, "_src": 5, "_seq": 6, "_i": 7, "ts": 8, "kind": 9, "lines": 10',
  ),
  step(
    'fields of the wrong type',
    '"execution_id": {"a": 1}, "task_name": [1], "project": null, "domain": true, "name": 7, "params": 7',
  ),
  line('an array', '[1, 2, {"event": "flytekit_step"}]'),
  line('bare values', 'null'),
  line('a JSON log of nothing', '{}'),
  line(
    'a record of wrong types',
    '{"log": "text", "stream": 7, "date": 1e400, "kubernetes": {"pod_name": [], "namespace_name": "n", "labels": 7}}',
  ),

  line('two steps', many(2), 'steps', 'steps'),
  line('a step behind a progress bar', ` 33%|###3      | 1/3 [00:09<00:18]${many(1)}`, 'logs', 'steps'),
  {
    ...line(
      'a thousand steps',
      many(1_000),
      ...Array.from({ length: MOST_RECORDS + 1 }, (): Fate => 'steps'),
      'json_syntax',
    ),
    rejected: text(many(1_000 - MOST_RECORDS - 1)),
  },
  line('NaN and a string that does not end', `{"v": NaN, "w": "${'\\"'.repeat(400_000)}`),

  // Numbers
  step('a duration of 1e400', '"wall_time_s": 1e400', 'schema'),
  step('a duration below zero', '"wall_time_s": -0.1', 'schema'),
  step('a duration of NaN', '"wall_time_s": NaN', 'schema'),
  step('a duration that is true', '"process_time_s": true', 'schema'),
  step('a duration of 31 digits', `"wall_time_s": ${DIGITS}`),
  step('a duration of 100,000 digits', `"wall_time_s": 1.${'0'.repeat(100_000)}1`),
  step('a duration as it is not written', '"wall_time_s": 15E-1, "process_time_s": 0.05e+0000001'),
  step('a duration of next to nothing', '"wall_time_s": 1e-400, "process_time_s": -0.0'),
  step(
    'numbers past every type',
    `"v": 1e400, "w": ${DIGITS}, "x": -0.0, "y": 1.000000000000000000001, "z": -Infinity`,
  ),
  line(
    'a JSON log of such numbers',
    `{"level": "info", "message": "m", "v": 1e400, "w": ${DIGITS}, "levelno": 1e400, "ts": -1e400}`,
  ),
  step('an unknown status', '"status": "maybe"', 'schema'),
  step('an error without its type', '"status": "error"', 'schema'),

  // Time
  step('the year 1800', '"asctime": "1800-01-01 00:00:00,000"'),
  step('the year 9999', '"asctime": "9999-12-31 23:59:59,999"'),
  step('the year 0', '"asctime": "0000-01-01 00:00:00,000"'),
  step('a time in no calendar', '"asctime": "2026-02-30 25:61:61,999"'),
  step('a step that began before 1970', '"asctime": "1970-01-01 00:00:00,000", "wall_time_s": 86400'),
  line('a JSON log of the year 1800', '{"level": "info", "message": "m", "timestamp": "1800-01-01T00:00:00Z"}'),
  line('a text of the year 9999', '9999-12-31 23:59:59,999 INFO m'),

  // Inputs of tasks
  params('of depth 30', { config: nested(30) }),
  params('of depth 10,000', { config: DEEP }),
  step('params with an object of depth 30', `"params": ${JSON.stringify(`{"config": ${nested(30)}}`)}`),
  step('params with an object of depth 10,000', `"params": ${JSON.stringify(`{"config": ${DEEP}}`)}`),
  step(
    'params with half a surrogate pair',
    `"params": ${JSON.stringify('{"\\ud800": "1", "\\ud801": {"\\udc00": "\\ud83d"}}')}`,
  ),
  params('of 100,000 digits', { n: '1'.repeat(100_000), list: `[${'1'.repeat(100_000)}]` }),
  params('past every type', { a: '1e400', b: DIGITS, c: 'NaN', d: '-0.0', e: `[1e400, ${DIGITS}]`, f: '1.0' }),
  params('with keys twice inside', { config: '{"a": 1, "a": 2, "b": {"c": 1, "c": 2}}' }),
  params('with nasty names', { '': '1', '.': '2', 'a..b': '3', 'a\u0000': '4', ['k'.repeat(LONG)]: '5', __proto: '6' }),
  params('with 40 kB', { blob: JSON.stringify('p'.repeat(LONG)) }),
  params('with objects under dots', { config: '{"": 1, "a.b": 2, "a": {"b": 3}, "c\\u0000": 4}' }),
  step('params with __proto__', `"params": ${JSON.stringify('{"__proto__": "{\\"__proto__\\": 1}"}')}`),
  step('params that are no JSON', '"params": "{not json"'),
  step('params that are an array', '"params": "[1, 2]"'),

  // Lines
  line('an empty line', '', 'blank'),
  line('a line of blanks', ' \t  ', 'blank'),
  line('a carriage return', '\r', 'blank'),
  line('half a step', HALF.slice(0, 190), 'json_syntax'),
  line('the other half', HALF.slice(190)),
  line('an unknown escape', hostile('escape', '"v": "\\x41"'), 'json_syntax'),
  line('a line that was cut by the runtime and goes on nowhere', '2026-11-20T10:30:44.189512345Z stderr P half of it'),
  line('colours and a title', '\u001b]0;title\u0007\u001b[1;31mERROR\u001b[0m it burns'),
];

/** What must not be stored: the value of the key `password`, wherever it stands. */
export const SECRET = 'hunter2-canary';

const secretStep = (more: string): string => stepLine({ task: 'workflows.secret', more });
const input = (inputs: object): string => secretStep(`"params": ${JSON.stringify(JSON.stringify(inputs))}`);
const captured = (message: string): string =>
  JSON.stringify({ asctime: '2026-11-20 10:30:44,190', name: 'flytekit', levelname: 'ERROR', message });

/** Physical lines with the secret in them, in the order in which they come. */
export const SECRETS: readonly string[] = [
  // Extras
  secretStep(`"password": "${SECRET}"`),
  secretStep(`"PassWord": ["${SECRET}"]`),
  secretStep(`"auth": {"user": "me", "password": "${SECRET}"}`),
  secretStep(`"note": "with password=${SECRET} it works"`),
  secretStep(`"step": "log in with password=${SECRET}"`),
  secretStep(`"step": "Download data to local from https://host/x?password=${SECRET}&v=1"`),
  // Inputs of the task
  input({ password: JSON.stringify(SECRET) }),
  input({ config: JSON.stringify({ password: SECRET }) }),
  input({ config: { password: SECRET } }),
  input({ config: JSON.stringify(`{"password": "${SECRET}"}`) }),
  secretStep(`"params": "password=${SECRET}"`),
  // Steps that are broken
  secretStep(`"password": "${SECRET}"`).slice(0, -1),
  secretStep(`"password": "a\\"${SECRET}`),
  input({ password: JSON.stringify(SECRET) }).slice(0, -1),
  secretStep(`"status": "maybe", "password": {"old": "${SECRET}"}`),
  `{"event": "flytekit_step", 'password': '${SECRET}`,
  `{"event": "flytekit_step", "password": "${SECRET}", "blob": "${'x'.repeat(2 << 20)}"}`,
  `${secretStep('"v": 1')}password=${SECRET}`,
  `password: ${SECRET} ${secretStep('"v": 1')}`,
  // Messages
  `connecting with password=${SECRET} to the database`,
  `Password: "two words ${SECRET}"`,
  `level=info msg="\\"password\\": \\"${SECRET}\\"" password=${SECRET}`,
  `password: Bearer ${SECRET}`,
  JSON.stringify({ level: 'info', message: `password='${SECRET}'`, password: SECRET, deep: [{ password: SECRET }] }),
  JSON.stringify({ level: 'info', message: JSON.stringify({ password: SECRET }) }),
  JSON.stringify({ log: `password=${SECRET}\n`, stream: 'stderr', time: '2026-11-20T10:30:44.189Z' }),
  '2026-11-20T10:30:44.189512345Z stderr P the pass',
  `2026-11-20T10:30:44.189512345Z stderr F word=${SECRET}`,
  // Tracebacks
  'Traceback (most recent call last):',
  '  File "/root/train.py", line 3, in <module>',
  `    connect(user="me", password="${SECRET}")`,
  `ValueError: {'password': '${SECRET}'}`,
  JSON.stringify({
    level: 'error',
    message: 'm',
    exc_info: `Traceback:\n  f(password='${SECRET}')\nValueError: ${SECRET.length}`,
  }),
  captured(`Exception when executing task workflows.secret, reason password='${SECRET}'`),
  captured('!! Begin User Error Captured by Flyte !!'),
  captured(
    `Trace:\n\n    Traceback (most recent call last):\n        f(password="${SECRET}")\n    ValueError: password=${SECRET}`,
  ),
  captured('!! End Error Captured by Flyte !!'),
];

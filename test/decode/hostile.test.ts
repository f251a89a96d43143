import { describe, expect, test } from 'vitest';
import { PRIVACY_DEFAULTS } from '../../src/privacy/rules.ts';
import { decode, stepLine, type How, type Outcome } from '../support/decode.ts';

/** A good line before and after, so that it shows when a neighbour is lost. */
const BEFORE = stepLine({ step: '"load_task"' });
const AFTER = stepLine({ step: '"write_decks"' });

/** What `hostile` became, between two good lines that are still there. Every check of Reader holds: valid JSON, times, lines. */
function between(hostile: string | Buffer, how: How = {}): Outcome {
  const bytes = typeof hostile === 'string' ? Buffer.from(hostile) : hostile;
  const input = Buffer.concat([Buffer.from(`${BEFORE}\n`), bytes, Buffer.from(`\n${AFTER}\n`)]);
  const outcome = decode(input, how);
  const names = outcome.steps.map(({ step }) => step);
  expect(names[0]).toBe('load_task');
  expect(names.at(-1)).toBe('write_decks');
  expect(outcome.offset).toBe(input.length);
  return outcome;
}

/** The steps between the two. */
function steps(hostile: string | Buffer, how: How = {}): Outcome['steps'] {
  return between(hostile, how).steps.slice(1, -1);
}

const deep = (depth: number, open = '[', close = ']'): string => open.repeat(depth) + close.repeat(depth);

describe('Hostile lines inside good lines', () => {
  test('10 MB without a newline is one rejection with its beginning', () => {
    const { rejections } = between('x'.repeat(10_000_000));
    expect(rejections).toMatchObject([{ reason: 'line_too_long', lines: 1, cut: true, raw: 'x'.repeat(4096) }]);
  });

  test('10 MB is a log where lines may be so long', () => {
    const { logs } = between('x'.repeat(10_000_000), { max_line_bytes: 20_000_000 });
    expect(String(logs[0]?.['message'])).toHaveLength(10_000_000);
  });

  test('10 MB in an extra is an attribute where lines may be so long', () => {
    const [step] = steps(stepLine({ blob: `"${'x'.repeat(10_000_000)}"`, auc: 'NaN' }), { max_line_bytes: 20_000_000 });
    expect(step?.['attributes']).toMatchObject({ auc: 'NaN' });
  });

  test('NUL and other control characters', () => {
    expect(between('a\0b\u0001c\u007f').logs).toMatchObject([{ message: 'a\0b\u0001c\u007f' }]);
    expect(steps(stepLine({ x: String.raw`"a\u0000b"` }))).toMatchObject([{ attributes: { x: 'a\0b' } }]);
    expect(between(stepLine({ x: '"a\0b"' })).rejections).toMatchObject([{ reason: 'json_syntax' }]);
  });

  test('Invalid UTF-8 becomes U+FFFD, and a rejection keeps its very bytes', () => {
    expect(between(Buffer.from('a\xff\xc3b', 'latin1')).logs).toMatchObject([{ message: 'a\ufffd\ufffdb' }]);
    expect(steps(Buffer.from(stepLine({ x: '"\xff"' }), 'latin1'))).toMatchObject([{ attributes: { x: '\ufffd' } }]);
    const broken = Buffer.from(stepLine({ x: '"\xff' }).slice(0, -1), 'latin1');
    const [rejection] = between(broken).rejections;
    expect(Buffer.from(String(rejection?.['raw_base64']), 'base64')).toEqual(broken);
  });

  test('Depth 10,000, in an extra, in params and as the whole line', () => {
    expect(steps(stepLine({ x: deep(10_000) }))).toMatchObject([{ attributes: { x: deep(10_000) } }]);
    const params = { ...PRIVACY_DEFAULTS, params: 'all' as const, mask: ['token'] };
    expect(steps(stepLine({ params: `{"a": ${deep(10_000)}}` }), { privacy: params })).toHaveLength(1);
    expect(
      steps(stepLine({ params: JSON.stringify(JSON.stringify({ a: deep(10_000) })) }), { privacy: params }),
    ).toHaveLength(1);
    expect(between(deep(10_000)).logs).toMatchObject([{ message: deep(10_000) }]);
    expect(between(deep(10_000, '{"a":', '}').replace(':}', ':1}')).logs).toHaveLength(1);
    expect(between('{"a":'.repeat(10_000)).logs).toHaveLength(1);
    expect(between('{"a":'.repeat(100_000)).rejections).toMatchObject([{ reason: 'json_too_large' }]);
    expect(between(`{"event":"flytekit_step","a":${'['.repeat(100_000)}`).rejections).toHaveLength(1);
  });

  test('1e400: as a duration it is a rejection, as an extra it stays as written', () => {
    expect(between(stepLine({ wall_time_s: '1e400' })).rejections).toMatchObject([{ reason: 'schema' }]);
    expect(steps(stepLine({ x: '1e400' }))).toMatchObject([{ attributes: { x: '1e400' } }]);
  });

  test('Numbers of 31 digits are kept to the last', () => {
    const long = '1234567890123456789012345678901';
    expect(steps(stepLine({ x: long, y: `{"z": ${long}}`, f: `0.${long}` }))).toMatchObject([
      { attributes: { x: long, y: `{"z": ${long}}`, f: `0.${long}` } },
    ]);
    const { rows } = between(stepLine({ wall_time_s: `1.${long}` }));
    expect(rows[1]?.text).toContain(`"wall_time_s":1.${long},`);
  });

  test('Of a key that comes twice the last one counts, and the row has it once', () => {
    const written = `${BEFORE.slice(0, -1)}, "x": 1, "x": 2, "step": "load_task"}`;
    const { rows } = between(written);
    expect(rows[1]?.fields).toMatchObject({ attributes: { x: '2' } });
    expect(rows[1]?.text.match(/"x":/g)).toHaveLength(1);
  });

  test.each([
    ['of a step', stepLine({ 'steptap.artefact': '"mine"', step: '"AsyncTranslate literal to python value"' })],
    ['of a step with a bad time', stepLine({ ts_original: '"mine"', asctime: '"yesterday"' })],
    ['with half characters', stepLine({ [String.raw`\ud800`]: '1', [String.raw`\udbff`]: '2' })],
    ['of logfmt', 'level=info msg="x" a=1 b=2 a=3'],
    ['of a JSON log', '{"message": "x", "a": 1, "\\u0061": 2}'],
  ])('No attribute is in a row twice: %s', (_, written) => {
    const row = between(written).rows.find(({ fields }) => fields['attributes'] !== undefined)!;
    const names = [...row.text.slice(row.text.indexOf('"attributes"')).matchAll(/"([^"\\]*)":"/g)].map(
      ([, name]) => name,
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test('Keys of objects that JavaScript has itself', () => {
    const own = { __proto__: null, constructor: null, toString: null, hasOwnProperty: null };
    const keys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];
    const before = Object.getOwnPropertyNames(Object.prototype).sort();
    const extra = keys.map((key) => `"${key}": {"polluted": true}`).join(', ');
    const { rows } = between(`${BEFORE.slice(0, -1)}, ${extra}}\n{"message": "x", ${extra}}\n{${extra}}`, {
      privacy: { ...PRIVACY_DEFAULTS, params: 'all' },
    });
    for (const { text } of rows.slice(1, 2)) for (const key of keys) expect(text).toContain(`"${key}":"{`);
    const inner = JSON.stringify(Object.fromEntries(keys.map((key) => [key, '1']))).replace('{', '{"__proto__": "2", ');
    expect(between(stepLine({ params: JSON.stringify(inner) })).rows[1]?.text).toContain('"__proto__":"[redacted]"');
    expect(between('{"__proto__": {"event": "flytekit_step", "step": "x"}}').logs).toHaveLength(1);
    expect(own).not.toHaveProperty('polluted');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(before);
  });

  test('Half characters become U+FFFD: ClickHouse refuses a whole block for one', () => {
    const half = String.raw`"a\ud800b"`;
    const { rows, steps: found } = between(
      stepLine({ step: half, x: half, task_name: half, params: `{"p": [${half}]}` }),
      {
        privacy: { ...PRIVACY_DEFAULTS, params: 'all' },
      },
    );
    expect(found[1]).toMatchObject({ step_raw: 'a\ufffdb', attributes: { x: 'a\ufffdb' }, task: 'a\ufffdb' });
    for (const { text } of rows) expect(text.replaceAll('\\\\', '')).not.toMatch(/\\ud[89a-f]/i);
  });

  test('Empty lines, blanks, half a line and a BOM', () => {
    expect(between('\n \n\t\n\r').blank).toBe(4);
    expect(between(BEFORE.slice(0, 150)).rejections).toHaveLength(1);
    expect(between(BEFORE.slice(150)).logs).toHaveLength(1);
    expect(steps(`\ufeff${BEFORE}`)).toHaveLength(1);
    expect(decode(`\ufeff${BEFORE}\n${AFTER}\n`).steps).toHaveLength(2);
  });

  test.each([
    '1800-01-01 00:00:00,000',
    '9999-12-31 23:59:59,999',
    '0000-01-01 00:00:00,000',
    '2026-02-30 00:00:00,000',
  ])('A time that cannot be stored, %s, gives way and is kept', (time) => {
    const [step] = steps(stepLine({ asctime: `"${time}"` }));
    expect(step).toMatchObject({
      ts: '2026-02-19T12:00:00.000000Z',
      attributes: { ts_original: time },
      provenance: 'ts:arrival',
    });
  });

  test('A million keys are too long for one line, 70,000 are too many, 9,000 are not', () => {
    const keys = (count: number): string => Array.from({ length: count }, (_, n) => `"k${n}":${n}`).join(',');
    expect(between(`{"message":"x",${keys(1_000_000)}}`).rejections).toMatchObject([{ reason: 'line_too_long' }]);
    expect(between(`{"message":"x",${keys(70_000)}}`).rejections).toMatchObject([{ reason: 'json_too_large' }]);
    const { logs } = between(`{"message":"x",${keys(9_000)}}`);
    expect(Object.keys(logs[0]?.['attributes'] as object)).toHaveLength(9_000);
    expect(steps(`${BEFORE.slice(0, -1)},${keys(9_000)}}`)).toHaveLength(1);
  });

  test('100,000 tiny lines', () => {
    expect(between('a\n'.repeat(100_000).trimEnd()).logs).toHaveLength(100_000);
    expect(between('{}\n'.repeat(20_000).trimEnd()).logs).toHaveLength(20_000);
  });

  test('Keys that look like numbers keep their values', () => {
    expect(steps(stepLine({ '2': '"b"', '1': '"a"', '-1': '"c"', '01': '"d"' }))).toMatchObject([
      { attributes: { '1': 'a', '2': 'b', '-1': 'c', '01': 'd' } },
    ]);
  });

  test('Two writers on one line: what can be read is read, what says it is a step and cannot be is rejected', () => {
    expect(between(`loading${BEFORE}${AFTER} done`)).toMatchObject({ steps: { length: 4 }, logs: { length: 2 } });
    expect(between(`loading ${BEFORE.slice(0, 200)}`).rejections).toMatchObject([{ reason: 'json_syntax' }]);
    expect(between(`${BEFORE.slice(0, 30)}${AFTER}`).rejections).toHaveLength(1);
  });

  test('More objects on one line than any writer writes', () => {
    expect(between(`${'{}'.repeat(200_000)}{"event": "flytekit_step"`).lines).toBe(3);
    expect(between(BEFORE.repeat(2_000)).lines).toBe(3);
  });
});

describe.each([
  ['two keys are masked', { mask: ['token', 'password'] }],
  ['all rules are on', { attributes: ['x', 'a'], drop: ['password', 'k7'], hash: ['token'], hash_key: 'k'.repeat(16) }],
])('Time grows with the line, not with its square, when %s:', (_rules, some) => {
  const privacy = { ...PRIVACY_DEFAULTS, ...some };

  /** Milliseconds of work, the least of three: others want this machine too. */
  function time(input: string): number {
    const bytes = Buffer.from(`${input}\n`);
    const took = [1, 2, 3].map(() => {
      const before = process.cpuUsage();
      decode(bytes, { max_line_bytes: 1 << 26, privacy });
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return Math.min(...took);
  }

  test.each<[string, (n: number) => string]>([
    ['quotes', (n) => `{"event": "flytekit_step", ${'"'.repeat(n)}`],
    ['backslashes', (n) => `{"event": "flytekit_step", "x": "${'\\'.repeat(n)}`],
    ['escaped quotes behind NaN', (n) => `{NaN ${String.raw`\"`.repeat(n / 2)}`],
    ['strings behind NaN', (n) => `{NaN ${'"a"'.repeat(n / 3)}`],
    ['a string behind NaN', (n) => `{"x": NaN, "y": "${'z'.repeat(n)}"}`],
    ['open objects', (n) => `{"event": "flytekit_step",${'{'.repeat(n)}`],
    ['objects side by side', (n) => `${'{}'.repeat(n / 2)}{"event": "flytekit_step"`],
    ['beginnings of steps', (n) => `x${'{"asctime": "'.repeat(n / 13)}"event": "flytekit_step"`],
    ['keys', (n) => `{${Array.from({ length: n / 12 }, (_, k) => `"k${k}":${k}`).join(',')}}`],
    ['the same key', (n) => `{${'"a":1,'.repeat(n / 6)}"a":2}`],
    ['marked keys', (n) => 'token='.repeat(n / 6)],
    ['marked keys with quotes', (n) => String.raw`token=\"`.repeat(n / 8)],
    ['marked keys with blanks', (n) => `token${' '.repeat(n)}`],
    ['marked keys with strings', (n) => String.raw`token="\\"`.repeat(n / 10)],
    ['marked keys with strings in strings', (n) => String.raw`\"token\": \"\\\\\", `.repeat(n / 20)],
    ['marked keys in a broken step', (n) => `{"event": "flytekit_step", ${'"token": "x", '.repeat(n / 14)}`],
    ['named keys in a broken step', (n) => `{"event": "flytekit_step", ${'"x": '.repeat(n / 5)}`],
    ['quotes before colons', (n) => `{"event": "flytekit_step", ${'": '.repeat(n / 3)}`],
    ['nested JSON', (n) => `{"message": "m", "a": {${'"b": {"password": 1}, '.repeat(n / 21)}"x": 1}}`],
    ['words behind a marked key', (n) => `token=${'a.'.repeat(n / 2)}&`],
    ['backslashes behind a marked key', (n) => `token${'\\'.repeat(n)}`],
    ['returns', (n) => 'x\r'.repeat(n / 2)],
    ['escapes', (n) => '\u001b]'.repeat(n / 2)],
    ['headers of stacks', (n) => 'Traceback (most recent call last):'.repeat(n / 34)],
    ['params', (n) => stepLine({ params: JSON.stringify(JSON.stringify({ a: '['.repeat(n) })) })],
    [
      'a dump of an id',
      (n) =>
        stepLine({ execution_id: `"Flyte Serialized object (WorkflowExecutionIdentifier):${' a: a'.repeat(n / 5)}"` }),
    ],
    ['a name of a step', (n) => stepLine({ step: `"${'1a '.repeat(n / 3)}"` })],
    [
      'a URI',
      (n) =>
        stepLine({ step: `"Download data to local from s3://m/metadata/propeller/${'a-'.repeat(n / 2)}/n0/data/0"` }),
    ],
  ])('%s', (_, make) => {
    const small = 100_000;
    // Four times the bytes. A square would be sixteen times the work: seconds, not milliseconds.
    expect(time(make(small * 4))).toBeLessThan(time(make(small)) * 8 + 100);
  });
});

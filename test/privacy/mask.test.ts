import { describe, expect, test } from 'vitest';
import { PRIVACY_DEFAULTS } from '../../src/privacy/rules.ts';
import { decode, stepLine, type How, type Outcome } from '../support/decode.ts';
import { hidden as hiddenWith, params, SECRET, SECRETS, shown } from './canary.ts';

const MASK = ['token', 'password', 'Authorization', 'api_key', 'geboren', 'prénom'];
const MARKED: How = { privacy: { ...PRIVACY_DEFAULTS, mask: MASK } };

const hidden = (input: string | Buffer, how: How = MARKED): Outcome => hiddenWith(input, how);

describe('Inputs of a task', () => {
  test.each([
    ['as flytekit writes them', params({ user: `"${SECRETS}"`, epochs: '3' })],
    ['cut at 256 characters', params({ user: `"${SECRETS}...`, epochs: '3' })],
    ['of repr text', params({ user: `<User ${SECRETS}>`, epochs: '3' })],
    ['as an object, not as text', JSON.stringify({ user: { name: SECRETS }, epochs: 3 })],
    ['beside another extra', `${params({ user: SECRETS, epochs: '3' })}, "rows": 5`],
  ])('are redacted, their names stay: %s', (_, written) => {
    const line = stepLine({ params: written });
    shown(line);
    expect(hidden(line, { privacy: PRIVACY_DEFAULTS }).steps).toMatchObject([
      { params: { user: '[redacted]', epochs: '[redacted]' } },
    ]);
  });

  test.each(['"canary-71f3"', '["canary-71f3"]', String.raw`"{\"user\": \"canary-71f3"`, '71300000.71'])(
    'that are no object of names are redacted whole: %s',
    (written) => {
      expect(hidden(stepLine({ params: written })).steps[0]?.['params']).toEqual({ _unparsed: '[redacted]' });
    },
  );

  test('of a step whose event is the name of an extra are redacted too', () => {
    const line = stepLine({ event: '"mine"', params: params({ user: SECRETS, epochs: '3' }) });
    expect(hidden(line, { privacy: { ...PRIVACY_DEFAULTS, params: ['epochs'] } }).logs).toMatchObject([
      { attributes: { params: '{"user":"[redacted]","epochs":3}' } },
    ]);
  });

  test('that are allowed by name are decoded twice, with numbers exact', () => {
    const how: How = {
      privacy: { ...PRIVACY_DEFAULTS, params: ['lr', 'n', 'ds', 'shape', 'cut', 'nan', 'none', 'big'] },
    };
    const written = params({
      lr: '0.10',
      n: '1234567890123456789012345678901',
      ds: '"s3://data/x.parquet"',
      shape: '{"rows": 10, "cols": [3, 4]}',
      cut: '"zzz...',
      nan: 'NaN',
      none: 'null',
      big: '[12345678901234567890]',
      user: `"${SECRETS}"`,
    });
    const { rows } = decode(stepLine({ params: written }), how);
    expect(rows[0]?.text).toContain(
      '"params":{"lr":0.10,"n":1234567890123456789012345678901,"ds":"s3://data/x.parquet","shape":{"rows":10,"cols":[3,4]},' +
        String.raw`"cut":"\"zzz...","nan":"NaN","none":null,"big":"[12345678901234567890]","user":"[redacted]"}`,
    );
  });

  test('that are no strings are as exact, and a marked name in them is masked', () => {
    const how: How = { privacy: { ...PRIVACY_DEFAULTS, params: 'all', mask: MASK } };
    const written = `{"n": 1234567890123456789012345678901, "cfg": {"a": 1, "token": "${SECRETS}"}, "x": "y"}`;
    const { rows } = hidden(stepLine({ params: written }), how);
    expect(rows[0]?.text).toContain('"n":1234567890123456789012345678901');
    expect(rows[0]?.fields['params']).toMatchObject({ x: 'y' });
  });

  test('A marked name is masked even where all params are allowed', () => {
    const how: How = { privacy: { ...PRIVACY_DEFAULTS, params: 'all', mask: MASK } };
    const { steps } = hidden(
      stepLine({ params: params({ token: SECRETS, a: `{"b": 1, "password": "${SECRETS}"}` }) }),
      how,
    );
    expect(steps).toMatchObject([{ params: { token: '[redacted]', a: '{"b": 1, "password": "***"}' } }]);
  });
});

describe('A marked key', () => {
  test('of a step or a log is an attribute without its value, in any case of letters', () => {
    const line = stepLine({ token: `"${SECRETS}"`, PassWord: `"${SECRETS}"`, api_key: '71300', rows: '5' });
    expect(hidden(line).steps).toMatchObject([
      { attributes: { token: '***', PassWord: '***', api_key: '***', rows: '5' } },
    ]);
    const log = `{"message": "hi", "token": "${SECRETS}", "password": ["${SECRETS}"], "rows": 5}`;
    expect(hidden(log).logs).toMatchObject([
      { message: 'hi', attributes: { token: '***', password: '***', rows: '5' } },
    ]);
  });

  test('in nested JSON is masked, its neighbours stay and JSON stays JSON', () => {
    const nested = `{"a": 1, "token": "${SECRETS}", "b": "x y", "pin": {"password": "q\\"${SECRETS}"}, "c": [2]}`;
    for (const outcome of [hidden(stepLine({ cfg: nested })), hidden(`{"message": "m", "cfg": ${nested}}`)]) {
      const { attributes } = outcome.rows[0]!.fields as { attributes: Record<string, string> };
      expect(JSON.parse(attributes['cfg']!)).toEqual({
        a: 1,
        token: '***',
        b: 'x y',
        pin: { password: '***' },
        c: [2],
      });
    }
  });

  test.each(['7100713', '-71.3e-71', 'true', 'null'])('in nested JSON before %s: JSON stays JSON', (value) => {
    const line = stepLine({
      cfg: `{"a": 1, "token": ${value}, "api_key":${value},"b": 2, "c": {"password": ${value}}}`,
    });
    const { attributes } = hidden(line).steps[0] as { attributes: Record<string, string> };
    expect(JSON.parse(attributes['cfg']!)).toEqual({
      a: 1,
      token: '***',
      api_key: '***',
      b: 2,
      c: { password: '***' },
    });
  });

  test.each([`{"x": "${SECRETS}"}`, `["y", "${SECRETS}"]`])('before %s in nested JSON hides the rest', (value) => {
    expect(hidden(stepLine({ cfg: `{"a": 1, "token": ${value}, "b": 2}` })).steps).toHaveLength(1);
  });

  test('with letters that are not ASCII, however JSON or the line spells them', () => {
    expect(hidden(stepLine({ prénom: `"${SECRETS}"` })).rows).not.toEqual([]);
    expect(hidden(stepLine({ cfg: `{"prénom": "${SECRETS}"}` })).rows).not.toEqual([]);
    expect(hidden(stepLine({ cfg: `{"pr\\u00e9nom": "${SECRETS}", "PR\\u00C9NOM": "${SECRETS}"}` })).rows).not.toEqual(
      [],
    );
    expect(hidden(`prénom: ${SECRET} ok`).rows).not.toEqual([]);
    expect(hidden(stepLine({ prénom: `"${SECRETS}"` }).slice(0, -1)).rows).not.toEqual([]);
    expect(hidden(stepLine({ 'pr\\u00e9nom': `"${SECRETS}"` }).slice(0, -1)).rows).not.toEqual([]);
  });

  test.each([
    [`login token=${SECRET} ok`, 'login token=*** ok'],
    [`login token = ${SECRET} ok`, 'login token = *** ok'],
    [`login token="${SECRETS}" ok`, 'login token="***" ok'],
    [`login token: '${SECRETS}' ok`, "login token: '***' ok"],
    [`{'token': '${SECRETS}', 'user': 'me'}`, "{'token': '***', 'user': 'me'}"],
    [`{'token': b'${SECRETS}', 'user': 'me'}`, "{'token': b'***', 'user': 'me'}"],
    [`{:token=>"${SECRETS}", :user=>"me"}`, '{:token=>"***", :user=>"me"}'],
    [`User(token='${SECRETS}', name='me')`, "User(token='***', name='me')"],
    [`GET /x?token=${SECRET} 200`, 'GET /x?token=*** 200'],
    [`Authorization: Bearer ${SECRET} next`, 'Authorization: *** next'],
    [`authorization: ApiKey ${SECRET} next`, 'authorization: *** next'],
    [`{"Authorization": "Bearer ${SECRETS}", "x": 1}`.slice(1), '"Authorization": "***", "x": 1}'],
    [`sent {"token": "a\\"${SECRETS}", "b": 2}`, 'sent {"token": "***", "b": 2}'],
    [String.raw`sent {\"token\": \"${SECRETS}\", \"b\": 2}`, String.raw`sent {\"token\": \"***\", \"b\": 2}`],
    [String.raw`sent \\\"token\\\": \\\"a ${SECRETS}\\\", b`, String.raw`sent \\\"token\\\": \\\"***\\\", b`],
  ])('in a message: %s', (written, message) => {
    shown(written);
    expect(hidden(written).logs).toMatchObject([{ message }]);
    expect(hidden(JSON.stringify({ levelname: 'INFO', message: written })).logs).toMatchObject([{ message }]);
  });

  test.each([
    `Authorization: Digest username="${SECRET}", response="${SECRET}"`,
    `Authorization: AWS4-HMAC-SHA256 Credential=${SECRET}, Signature=${SECRET}`,
    `token: "${SECRETS}`,
    `token: ["${SECRETS}"`,
  ])('whose value does not end before the line does hides the line: %s', (written) => {
    expect(hidden(written).rows).not.toEqual([]);
  });

  test('that is only a part of another word marks nothing', () => {
    for (const message of ['tokens: 5', 'my_token=5', 'no-token=5', 'token', 'a token is fine']) {
      expect(decode(message, MARKED).logs).toMatchObject([{ message }]);
    }
  });

  test.each([
    '2026-02-19 10:30:44,189 INFO password: ',
    'INFO:password:',
    'ERROR password: ',
    'level=info msg=x token=',
  ])('where a layout takes line and logger apart: %s', (before) => {
    expect(hidden(before + SECRET).logs).toHaveLength(1);
  });

  test('that is one of the names of a log field', () => {
    const how: How = { privacy: { ...PRIVACY_DEFAULTS, mask: ['name', 'date', 'text'] } };
    const { logs } = hidden(`{"levelname": "INFO", "message": "signup", "name": "${SECRETS}"}`, how);
    expect(logs).toMatchObject([{ message: 'signup', level: 'INFO' }]);
    expect(decode('{"message": "x", "date": "1971-03-07 00:00:00"}', how).logs[0]?.['ts']).not.toMatch(/^1971/);
    expect(hidden(`{"level": "info", "text": "${SECRETS}"}`, how).rows).not.toEqual([]);
  });

  test('in the name of a step, in its URI, and in a time that is none', () => {
    expect(hidden(stepLine({ step: `"login token=${SECRET} now"` })).rows).not.toEqual([]);
    expect(hidden(stepLine({ step: `"Download data to local from https://h/x?token=${SECRET}"` })).rows).not.toEqual(
      [],
    );
    expect(hidden(stepLine({ step: `"read https://h/x?token=${SECRET}"` })).rows).not.toEqual([]);
    expect(hidden(stepLine({ asctime: `"token=${SECRET}"` })).rows).not.toEqual([]);
  });
});

describe('What cannot be read is masked too', () => {
  const step = stepLine({
    step: '"Execute user level code"',
    params: params({ user: `"${SECRETS}"`, n: '1' }),
    rows: '5',
  });
  const at = '2026-02-19T10:30:44.189512345Z';
  const docker = (log: string): string => JSON.stringify({ log, stream: 'stderr', time: at });

  test.each([
    ['cut in the middle of the secret', step.slice(0, step.indexOf('71f3') + 4)],
    ['cut behind it', step.slice(0, step.indexOf('rows'))],
    ['with a NUL in it', step.replace('"rows"', '"ro\0ws"')],
    ['with another writer behind it', `${step}hello`],
    ['with another writer before it', `hello${step}`],
    ['with another writer in it', step.replace('"task_name"', 'hello"task_name"')],
    ['with a wrong type', stepLine({ wall_time_s: '"x"', params: params({ user: SECRETS }) })],
    ['of Docker', docker(`${step}\n`)],
    ['of Docker, cut', docker(`${step}\n`).slice(0, -40)],
    ['of Docker, cut in the middle of the secret', docker(step).slice(0, docker(step).indexOf('71f3') + 4)],
    ['of Docker in Docker, cut', docker(docker(step)).slice(0, -60)],
    ['in pieces of which one is missing', `${at} stderr P ${step.slice(0, 60)}\n${at} stderr F ${step.slice(90)}`],
    ['in a message', JSON.stringify({ message: `got ${step}`, levelname: 'INFO' })],
  ])('a step %s: params', (_, input) => {
    expect(hidden(input, { privacy: PRIVACY_DEFAULTS }).rows).not.toEqual([]);
    expect(hidden(`${input}\n${step}`).rows).not.toEqual([]);
  });

  test.each(['\xff', 'é'])('a broken step that is not ASCII (%s): keys', (byte) => {
    const line = stepLine({ x: `"${byte}"`, token: `"${SECRETS}"`, password: `"${SECRETS}"` }).slice(0, -1);
    const { rejections } = hidden(Buffer.from(line, 'latin1'));
    expect(rejections).toHaveLength(1);
  });

  test('a line that is too long', () => {
    const long = stepLine({ token: `"${SECRETS}"`, x: `"${'y'.repeat(5000)}"` });
    expect(hidden(long, { ...MARKED, max_line_bytes: 4500 }).rejections).toMatchObject([{ reason: 'line_too_long' }]);
  });

  test('the neighbours of what is masked stay readable', () => {
    const broken = stepLine({ token: `"${SECRETS}"`, user: '"me"' }).slice(0, -1);
    expect(hidden(broken).rejections).toMatchObject([{ raw: broken.replace(SECRETS, '***') }]);
  });
});

describe('Traces', () => {
  const trace = [
    'Traceback (most recent call last):',
    '  File "x.py", line 1, in login',
    `    connect(password="${SECRETS}", host="h")`,
    `ConnectionError: refused, token=${SECRET} host=h`,
  ];

  test('a traceback and exc_info are masked line by line, and their class stays', () => {
    const message = trace.join('\n').replace(SECRETS, '***').replace(SECRET, '***');
    expect(hidden(`${trace.join('\n')}\n`).logs).toEqual([
      expect.objectContaining({ error_type: 'ConnectionError', lines: 4, message }),
    ]);
    const log = JSON.stringify({ message: 'failed', levelname: 'ERROR', exc_info: trace.join('\n') });
    expect(hidden(log).logs).toMatchObject([{ error_type: 'ConnectionError', attributes: { exc_info: message } }]);
  });

  test('a captured error is masked in its reason and in its trace', () => {
    const say = (message: string): string =>
      JSON.stringify({ asctime: '2026-02-19 10:30:44,190', name: 'flytekit', levelname: 'ERROR', message });
    const lines = [
      say(`Exception when executing task workflows.train.fit, reason refused, token=${SECRET} host=h`),
      say('!! Begin User Error Captured by Flyte !!'),
      say(`Trace:\n\n    ${trace.join('\n    ')}\n\nMessage:\n\n    ${trace.at(-1)!}`),
      say('!! End Error Captured by Flyte !!'),
    ];
    const { events } = hidden(lines.join('\n'));
    expect(events).toMatchObject([
      { root_error_type: 'ConnectionError', attributes: { reason: 'refused, token=*** host=h' }, lines: 4 },
    ]);
    const text = `[flytekit] Trace:\n\n    ${trace.join('\n    ')}\n\nMessage:\n\n    ${trace.at(-1)!}\n`;
    expect(hidden(text).events).toMatchObject([{ root_error_type: 'ConnectionError' }]);
  });
});

import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Privacy } from '../../src/privacy/index.ts';
import { decode, stepLine } from '../support/decode.ts';
import { hidden, HASH_KEY, params, rules, SECRET, SECRETS, shown } from './canary.ts';

/** As anybody would who has the key. */
const hmac = (text: string): string =>
  `hmac:${createHmac('sha256', HASH_KEY).update(text, 'utf8').digest('hex').slice(0, 32)}`;

const how = rules({ params: 'all', hash: ['user', 'uid', 'Authorization'] });
const attributes = (line: string): unknown => decode(line, how).rows[0]?.fields['attributes'];
const message = (text: string): unknown =>
  decode(JSON.stringify({ levelname: 'INFO', message: text }), how).logs[0]?.['message'];

describe('A hashed key', () => {
  test('has the HMAC of its value for its value: the same again for the same, another under another secret', () => {
    expect(attributes(stepLine({ user: '"ada"', uid: '1.0', User: '"x"' }))).toEqual({
      user: hmac('ada'),
      uid: hmac('1.0'),
      User: hmac('x'),
    });
    expect(attributes('{"message": "m", "user": {"a": [1]}}')).toEqual({ user: hmac('{"a": [1]}') });
    expect(attributes('level=info msg=m user="Ada Lovelace" uid=5')).toEqual({
      user: hmac('Ada Lovelace'),
      uid: hmac('5'),
    });
    const other = decode(stepLine({ user: '"ada"' }), rules({ hash: ['user'], hash_key: Buffer.alloc(32, 7) }));
    expect(other.steps).not.toMatchObject([{ attributes: { user: hmac('ada') } }]);
  });

  test('that is an input of a task need not be allowed, and is the hash of what the input says', () => {
    const written = params({ user: '"ada"', uid: '7', Authorization: '<repr>', epochs: '3' });
    const stored = { user: hmac('ada'), uid: hmac('7'), Authorization: hmac('<repr>'), epochs: '[redacted]' };
    expect(
      decode(stepLine({ params: written }), rules({ hash: ['user', 'uid', 'authorization'] })).steps,
    ).toMatchObject([{ params: stored }]);
    // Of one that flytekit has cut there is no hash: it would be that of nobody.
    for (const cut of ['"ada lov...', '{"name": "ada', '<User ada...']) {
      expect(decode(stepLine({ params: params({ user: cut }) }), how).steps).toMatchObject([
        { params: { user: '[redacted]' } },
      ]);
    }
  });

  test.each([
    ['login user=ada ok', `login user=${hmac('ada')} ok`],
    ['login user: ada, uid: 7.', `login user: ${hmac('ada')}, uid: ${hmac('7')}.`],
    ['User(user=ada)', `User(user=${hmac('ada')})`],
    ['mail user=ada@example.org; next', `mail user=${hmac('ada@example.org')}; next`],
    ["{'user': 'ada', 'uid': 7}", `{'user': '${hmac('ada')}', 'uid': '${hmac('7')}'}`],
    [
      'got {"user": "a\\"d\\u0061\\\\", "uid": -1.5e3, "x": 1}',
      `got {"user": "${hmac('a"da\\')}", "uid": "${hmac('-1.5e3')}", "x": 1}`,
    ],
    [String.raw`{\"user\": \"a\\\"d\\\\\", \"x\": 1}`, String.raw`{\"user\": \"${hmac('a"d\\')}\", \"x\": 1}`],
    ['user="Ada Lovelace"ok', `user="${hmac('Ada Lovelace')}"ok`],
    ['user="" uid=\'\'', `user="${hmac('')}" uid='${hmac('')}'`],
    ['Authorization: Bearer abc== next', `Authorization: ${hmac('Bearer abc==')} next`],
    ['user=ada user=bob', `user=${hmac('ada')} user=${hmac('bob')}`],
    ['said "user=ada"', `said "user=${hmac('ada')}"`],
  ])('in a message is found where its value ends for certain: %s', (text, told) => {
    expect(message(text)).toBe(told);
    expect(decode(text, how).logs).toMatchObject([{ message: told }]);
  });

  test.each([
    `user="${SECRETS}`,
    `user: ["${SECRETS}"], x`,
    `user: {"a": "${SECRETS}"} x`,
    `Authorization: Digest user="${SECRET}", response="${SECRET}"`,
    `user=a,${SECRET} ok`,
    `GET /x?user=${SECRET}&y=2 200`,
    `user=a"${SECRET} ok`,
    String.raw`user='${SECRET}\x41' ok`,
    String.raw`user="${SECRET}\x41" ok`,
    String.raw`{\\"user\\": \\"${SECRETS}\\"}`,
    String.raw`"{\"user\": \"${SECRETS}\\" x \" y`,
  ])('in a message is masked where it does not: %s', (text) => {
    const line = JSON.stringify({ levelname: 'INFO', message: text });
    shown(line);
    const { logs } = hidden(line, how);
    expect(logs[0]?.['message']).toContain('***');
    expect(logs[0]?.['message']).not.toContain('hmac:');
    hidden(text, how);
  });

  test('keeps its neighbours, and what follows it is looked at as well', () => {
    expect(message('user=ada x=1 uid="7" user: [1]')).toBe(`user=${hmac('ada')} x=1 uid="${hmac('7')}" user: ***`);
    const two = rules({ hash: ['user'], mask: ['token'] });
    const text = '{"user": "x\\\\", "token": "y", "z": 1}';
    expect(decode(JSON.stringify({ message: text }), two).logs).toMatchObject([
      { message: `{"user": "${hmac('x\\')}", "token": "***", "z": 1}` },
    ]);
  });

  test('that was hashed or masked before stays as it is', () => {
    const once = new Privacy(how.privacy);
    for (const text of [
      'user=ada, ok',
      '{"user": "ada"}',
      'user: [1]',
      'user="ada',
      "user='***'",
      `user=${hmac('x')}`,
    ]) {
      const told = once.text(text);
      expect(once.text(told)).toBe(told);
    }
    expect(once.attribute('user', hmac('ada'))).toBe(hmac('ada'));
    expect(once.text('user=***')).toBe('user=***');
  });
});

describe('The same value has the same hash', () => {
  const value = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc
      .array(fc.constantFrom('"', '\\', "'", '\n', 'user', ':', '=', ' ', 'é', '\u00a0', '\ud83d', 'x'), {
        maxLength: 8,
      })
      .map((parts) => parts.join('')),
  );
  const row = (line: string): string => decode(line, how).rows[0]!.text;

  test('from an attribute, a param, nested JSON, JSON in strings, messages and lines that cannot be read', () => {
    fc.assert(
      fc.property(value, (said) => {
        const json = JSON.stringify(said);
        const ascii = json.replace(
          /[\u007f-\uffff]/g,
          (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
        );
        const log = (text: string): string => JSON.stringify({ levelname: 'INFO', message: text });
        for (const written of [json, ascii]) {
          const cfg = `{"a": 1, "user": ${written}, "b": 2}`;
          const lines = [
            stepLine({ user: written }),
            `{"message": "m", "user": ${written}}`,
            stepLine({ cfg }),
            stepLine({ cfg: JSON.stringify(cfg) }),
            stepLine({ cfg: JSON.stringify(JSON.stringify(cfg)) }),
            stepLine({ params: params({ user: written }) }),
            stepLine({ params: params({ cfg }) }),
            log(`login user=${written} ok`),
            log(`got ${cfg}`),
            log(`got ${JSON.stringify(cfg)}`),
            stepLine({ user: written, z: '1' }).slice(0, -1),
            JSON.stringify({ log: stepLine({ user: written }), stream: 'stderr', time: 'x' })
              .slice(0, -10)
              .replace('{"log"', '{"event":"flytekit_step","log"'),
          ];
          const { rows } = decode(lines.join('\n'), how);
          expect(rows.map(({ text }) => text.includes(hmac(said)))).toEqual(lines.map(() => true));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('from a number, as it was written', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double({ noDefaultInfinity: true, noNaN: true })), (number) => {
        const written = JSON.stringify(number);
        for (const line of [
          stepLine({ uid: written }),
          stepLine({ cfg: `{"uid": ${written}}` }),
          `{"message": "uid=${written}"}`,
        ]) {
          expect(row(line)).toContain(hmac(written));
        }
      }),
    );
  });

  test('from a bare word, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[\wé@.+%/~$*#-]{0,12}[\wé@%/-]$/),
        fc.stringMatching(/^[,;.:!?)\]}>"']*$/),
        (said, end) => {
          expect(message(`login (user=${said}${end} ok`)).toBe(`login (user=${hmac(said)}${end} ok`);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('control: another value has another', () => {
    expect(row(stepLine({ user: '"ada"' }))).not.toContain(hmac('Ada'));
  });
});

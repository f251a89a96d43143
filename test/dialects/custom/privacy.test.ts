import { describe, expect, test } from 'vitest';
import type { EventOptions } from '../../../src/dialects/custom/index.ts';
import { all, rules, SECRET, SECRETS } from '../../privacy/canary.ts';
import { decode, stepLine, type How, type Outcome } from '../../support/decode.ts';
import { compiled, epoch, EPOCH, read } from './events.ts';

type Rule = keyof NonNullable<EventOptions['privacy']>;

const ruled = (rule: Rule): EventOptions => ({
  ...EPOCH,
  labels: [...EPOCH.labels, 'user'],
  privacy: { [rule]: ['email', 'user'] },
});

const nested = { a: 1, email: SECRETS, b: [{ Email: `x"${SECRETS}` }], text: JSON.stringify({ email: SECRETS }) };
const line = epoch({ email: SECRETS, cfg: nested });
const AT = '2026-02-19T10:30:44.189512345Z';
const docker = (log: string): string => JSON.stringify({ log, stream: 'stderr', time: AT });

/** Where the value of a key of the event may be, in lines that are the event's or may be. */
const PLACES: readonly (readonly [string, string | Buffer])[] = [
  ['an attribute', epoch({ email: SECRETS })],
  ['an attribute in other letters', epoch({ EMAIL: SECRETS })],
  ['nested JSON', epoch({ cfg: nested })],
  ['JSON in text', epoch({ cfg: JSON.stringify(nested) })],
  ['a label', epoch({ user: SECRETS })],
  ['an object under it', epoch({ email: { x: [SECRETS] } })],
  ['the name of the step', epoch({ name: `mail email=${SECRET} now` })],
  ['a line that does not fit the schema', epoch({ took_ms: 'x', email: SECRETS, cfg: nested })],
  ['a line with another status', epoch({ ok: 'x', email: SECRETS })],
  ['a line that is cut', line.slice(0, -1)],
  ['a line that is cut in the value', line.slice(0, line.indexOf('71f3') + 4)],
  ['a line that is cut before what matches', `{"v": 1, "email": "${SECRETS}", "eve`],
  ['the end of a line', `"x", "email": "${SECRETS}", "v": 1, "event": "epoch_done"}`],
  ['a line with a NUL', line.replace('"name"', '"na\0me"')],
  ['a line that is no UTF-8', Buffer.from(line.replace('"name"', '"\xff"').slice(0, -1), 'latin1')],
  ['a line behind other text', `50% |### | ${line}`],
  ['a line before other text', `${line}${line} done`],
  ['a line before a broken one', `${line}${line.slice(0, -4)}`],
  ['a line in a stack', `Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: ${line}\n`],
  ["Docker's record", docker(`${line}\n`)],
  ["Docker's record that is cut", docker(line).slice(0, -40)],
  ['a line that is too long', epoch({ email: SECRETS, x: 'y'.repeat(5_000) })],
];

function hidden(input: string | Buffer, options: EventOptions, how: How): Outcome {
  for (const fast of [true, false]) expect(all(read(input, options, { ...how, fast }))).not.toContain('71f3');
  return read(input, options, how);
}

describe.each<Rule>(['drop', 'mask', 'hash'])('With a rule of the event to %s its keys, a value is nowhere', (rule) => {
  test.each(PLACES)('in %s', (_, input) => {
    const how = { ...rules({}), max_line_bytes: 4_500 };
    const { privacy: _rules, ...open } = EPOCH;
    // Control: it is there when there is no rule.
    expect(all(read(input, { ...open, labels: ['user'] }, how))).toContain('71f3');
    const { rows } = hidden(input, ruled(rule), how);
    expect(rows.length).toBeGreaterThan(0);
    for (const { tuple } of rows) expect(JSON.stringify([...tuple.user])).not.toContain('71f3');
  });
});

test('A label that is masked is the mask, one that is hashed the hash, one that is dropped nothing', () => {
  const labels = (rule: Rule): unknown => {
    const [row] = read(epoch({ user: SECRET }), ruled(rule), rules({})).rows;
    const own = row?.tuple.user.get('user');
    expect(row?.fields['attributes']).toEqual(own === undefined ? { v: '1' } : { v: '1', user: own });
    return own;
  };
  expect(labels('mask')).toBe('***');
  expect(labels('hash')).toMatch(/^hmac:[\da-f]{32}$/);
  expect(labels('drop')).toBeUndefined();
});

test('A label under another name has the rules of its key, of what that is in, and of the name', () => {
  const options = (mask: string): EventOptions => ({
    ...EPOCH,
    labels: [{ who: 'meta.user' }],
    privacy: { mask: [mask] },
  });
  for (const mask of ['who', 'user', 'meta']) {
    expect(hidden(epoch({ meta: { user: mask === 'who' ? 'x' : SECRET } }), options(mask), {}).steps[0]).toMatchObject({
      attributes: { who: '***' },
    });
  }
});

test('Rules of the pipeline hold too; a key that has one is an attribute and fills no column', () => {
  const { privacy } = rules({ mask: ['name', 'at'], drop: ['project'] });
  const { steps } = read(epoch({ name: SECRET, email: SECRET }), EPOCH, { privacy });
  expect(steps).toMatchObject([
    {
      step: 'epoch',
      project: 'recommender',
      attributes: { name: '***', at: '***', email: '***' },
      provenance: 'ts:arrival',
    },
  ]);
});

test('Attributes that nobody allowed are left out, and labels were asked for', () => {
  const { privacy } = rules({ attributes: ['v'] });
  const { steps } = read(epoch({ model: 'm', meta: { dataset: 'd', x: SECRET } }), EPOCH, { privacy });
  expect(steps[0]?.['attributes']).toEqual({ v: '1', model: 'm', data: 'd' });
});

test('Rules of an event are for its lines only, and for what nobody can read', () => {
  const other = { match: { event: 'other' }, privacy: { mask: ['city'] } } satisfies EventOptions;
  const values = { email: 'a@b', city: 'c' };
  const own = epoch(values);
  const lines = [own, JSON.stringify({ event: 'other', ...values }), stepLine({ email: '"a@b"', city: '"c"' })];
  const { rows } = read([...lines, 'email: a@b', JSON.stringify({ message: 'email: a@b', ...values })].join('\n'), [
    EPOCH,
    other,
  ]);
  const attributes = rows.map(({ fields }) => fields['attributes']);
  expect(attributes).toEqual([
    { v: '1', email: '***', city: 'c' },
    { email: 'a@b', city: 'c' },
    undefined,
    { email: 'a@b', city: '***' },
    // The last line is a batch of its own.
    { email: 'a@b', city: 'c' },
  ]);
  expect(rows[2]?.fields['message']).toBe('email: a@b');
  expect(read(own.slice(0, -1), [EPOCH, other]).rejections[0]?.['raw']).toContain('"email":"***","city":"***"');
});

test('A key to be hashed needs a secret before a line is read', () => {
  const events = compiled(ruled('hash'));
  expect(events.hashes).toBe(true);
  expect(compiled(EPOCH).hashes).toBe(false);
  expect(() => decode('', { events })).toThrow('a key is to be hashed and there is no hash_key');
});

test('a rule with dots is one for the last name, wherever that is', () => {
  const options: EventOptions = { match: { e: 1 }, privacy: { mask: ['meta.email'] } };
  const input = JSON.stringify({ e: 1, meta: { email: SECRETS }, note: `meta.email=${SECRET} email: ${SECRET}` });
  hidden(input, options, rules({}));
  hidden(input.slice(0, -1), options, rules({}));
  expect(all(decode(stepLine({ cfg: `{"email": "${SECRETS}"}` }), rules({ mask: ['user.email'] })))).not.toContain(
    '71f3',
  );
});

test('a key that is a number is not said, an index is', () => {
  const number = { type: 'number' };
  const schema = { properties: { users: { additionalProperties: number }, list: { items: number } } };
  const detail = (line: object): unknown =>
    read(JSON.stringify({ e: 1, ...line }), { match: { e: 1 }, schema }, rules({})).rejections[0]?.['detail'];
  expect(detail({ users: { 4915112345678: 'x' } })).toBe('epoch: users.* must be number');
  expect(detail({ list: [1, 'x'] })).toBe('epoch: list.1 must be number');
});

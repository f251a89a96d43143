import { encode, ExtData } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeJson } from '../../src/msgpack/json.ts';
import { MsgpackError, Values } from '../../src/msgpack/values.ts';
import { Body } from '../../src/sinks/identity.ts';

const bytesOf = (value: unknown): Buffer => Buffer.from(encode(value, { useBigInt64: true, maxDepth: 1_000 }));

function jsonOf(bytes: Buffer, max_bytes = 1e9): string {
  const body = new Body(16);
  writeJson(bytes, body, max_bytes);
  return body.view().toString('utf8');
}

/** Everything that both msgpack and JSON can say. */
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.integer({ min: -200, max: 70_000 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.string({ unit: 'binary' }),
    fc.string({ minLength: 30, maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie('value')).map((map) => Object.fromEntries(Object.entries(map))),
  ),
}));

test('a value is the same in JSON as it was in msgpack', () => {
  fc.assert(
    fc.property(value, (any) => {
      expect(JSON.parse(jsonOf(bytesOf(any)))).toEqual(any);
    }),
    { numRuns: 200 },
  );
});

test('values are found whole, in whatever pieces their bytes come', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 8 }), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (all, sizes) => {
      const sent = all.map(bytesOf);
      const bytes = Buffer.concat(sent);
      const values = new Values(1 << 24);
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = at + (sizes.next().value as number);
        values.push(bytes.subarray(at, end));
        at = end;
        for (let next = values.next(); next !== undefined; next = values.next()) found.push(Buffer.from(next));
      }
      expect(found).toEqual(sent);
      expect(values.held).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test('numbers of 64 bits keep every digit, and floats stay floats', () => {
  expect(jsonOf(bytesOf([2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]))).toBe(
    '[9223372036854775807,-9223372036854775808,18446744073709551615]',
  );
  const floats = Buffer.from('94cb3ff0000000000000ca3fc00000cb7ff8000000000000cbfff0000000000000', 'hex');
  expect(jsonOf(floats)).toBe('[1.0,1.5,null,null]');
});

test('names that would do harm as names of an object are names like others', () => {
  const map = Buffer.concat([Buffer.from([0x83]), ...['__proto__', 1, 'constructor', 2, '__proto__', 3].map(bytesOf)]);
  expect(jsonOf(map)).toBe('{"__proto__":1,"constructor":2,"__proto__":3}');
});

test('what JSON has not is told in its words', () => {
  expect(jsonOf(bytesOf(new ExtData(0, Buffer.from('6b01580707f9bf10', 'hex'))))).toBe(
    '"2026-11-21T08:36:23.133807888Z"',
  );
  expect(jsonOf(bytesOf(new ExtData(7, Buffer.from('abc'))))).toBe('"YWJj"');
  expect(jsonOf(Buffer.from('83c0c2c3010107', 'hex'))).toBe('{"null":false,"true":1,"1":7}');
  const binary = Buffer.from([0xc4, 3, 0x61, 0xff, 0x62]);
  expect(jsonOf(binary)).toBe('"a\ufffdb"');
});

test.each([
  ['binary of 2 GiB', Buffer.from('c680000000', 'hex')],
  ['text of 4 GiB', Buffer.from('dbffffffff', 'hex')],
  ['a map of 2^32 members', Buffer.from('dfffffffff', 'hex')],
  ['an array of 2^32 values in an array', Buffer.from('92a3746167ddffffffff', 'hex')],
  ['arrays nested 200,000 deep', Buffer.alloc(200_000, 0x91)],
  ['a byte that begins no value', Buffer.from('92c1', 'hex')],
])('%s is refused at its head', (_name, bytes) => {
  const values = new Values(16 << 20);
  expect(() => {
    for (let at = 0; at < bytes.length; at++) {
      values.push(bytes.subarray(at, at + 1));
      expect(values.next()).toBeUndefined();
      expect(values.held).toBeLessThan(200);
    }
  }).toThrow(MsgpackError);
});

test('a value of 7 MB in pieces of 100 bytes is looked through once', () => {
  const bytes = bytesOf(Array.from({ length: 1 << 19 }, () => 'twelve bytes'));
  const values = new Values(16 << 20);
  const begun = process.cpuUsage();
  let found = 0;
  for (let at = 0; at < bytes.length; at += 100) {
    values.push(bytes.subarray(at, at + 100));
    if (values.next() !== undefined) found++;
  }
  expect(found).toBe(1);
  // A second look at each piece would take 35,000 times as long.
  expect(process.cpuUsage(begun).user / 1e6).toBeLessThan(10);
});

test('of what is more than it may be, only the beginning is written', () => {
  const long = bytesOf({ name: '\u0001'.repeat(1 << 20) });
  const body = new Body(16);
  expect(writeJson(long, body, 1_000)).toBe(false);
  expect(body.length).toBeGreaterThan(1_000);
  expect(body.length).toBeLessThan(7_000);
  expect(writeJson(bytesOf({ name: 'short' }), new Body(16), 1_000)).toBe(true);
});

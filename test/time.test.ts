import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EARLIEST_US, epochTime, formatTime, LATEST_US, parseTime, storable, zoneOffset } from '../src/time.ts';

/** 2026-02-19T10:30:44Z, by another way than the code under test. */
const SECOND = Date.UTC(2026, 1, 19, 10, 30, 44) * 1000;
const HOUR = 3600e6;

describe('a time is read however it is written', () => {
  test.each([
    ['2026-02-19T10:30:44Z', SECOND, true],
    ['2026-02-19 10:30:44Z', SECOND, true],
    ['2026-02-19t10:30:44z', SECOND, true],
    ['2026-02-19T10:30:44.1Z', SECOND + 100_000, true],
    ['2026-02-19T10:30:44.189213Z', SECOND + 189_213, true],
    ['2026-02-19T10:30:44.189512345Z', SECOND + 189_512, true],
    ['2026-02-19T10:30:44.999999999Z', SECOND + 999_999, true],
    ['2026-02-19T10:30:44+05:30', SECOND - 5.5 * HOUR, true],
    ['2026-02-19T10:30:44.5-0800', SECOND + 8 * HOUR + 500_000, true],
    ['2026-02-19 10:30:44 +0000', SECOND, true],
    ['2026-02-19T10:30:44.189213', SECOND + 189_213, false],
    ['2026-02-19 10:30:44,189', SECOND + 189_000, false],
    ['2026-02-19 10:30:44.189', SECOND + 189_000, false],
    ['2026/02/19 10:30:44', SECOND, false],
    ['2026/02/19 10:30:44.189213', SECOND + 189_213, false],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29) * 1000, true],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29) * 1000, true],
    ['1969-12-31T23:59:59.999999Z', -1, true],
    ['0000-01-01T00:00:00Z', Date.parse('0000-01-01T00:00:00Z') * 1000, true],
    ['9999-12-31T23:59:59Z', Date.parse('9999-12-31T23:59:59Z') * 1000, true],
  ])('%s', (text, us, zoned) => {
    expect(parseTime(text)).toEqual({ us, zoned });
  });

  test.each([
    '',
    'local',
    '2026-02-19',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-02-00T00:00:00Z',
    '2026-02-19T25:00:00Z',
    '2026-02-19T24:00:00Z',
    '2026-02-19T10:60:00Z',
    '2026-02-19T10:30:60Z',
    '2026-02/19T10:30:44Z',
    '2026-02-19_10:30:44Z',
    '2026-02-19T10.30.44Z',
    '2026-02-19T10:30:44.Z',
    '2026-02-19T10:30:44.1234567890Z',
    '2026-02-19T10:30:44+24:00',
    '2026-02-19T10:30:44+05:60',
    '2026-02-19T10:30:44+05',
    '2026-02-19T10:30:44 ',
    '2026-02-19T10:30:44Zulu',
    '2026-02-19T10:30:44Z ',
    ' 2026-02-19T10:30:44Z',
    '２０２６-02-19T10:30:44Z',
    '0000-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
  ])('%j is no time', (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test('the same day is read right after another day and after one that does not exist', () => {
    expect(parseTime('2026-02-19T00:00:00Z')?.us).toBe(Date.UTC(2026, 1, 19) * 1000);
    expect(parseTime('2026-02-31T00:00:00Z')).toBeUndefined();
    expect(parseTime('2026-02-31T00:00:00Z')).toBeUndefined();
    expect(parseTime('2026-02-20T00:00:00Z')?.us).toBe(Date.UTC(2026, 1, 20) * 1000);
  });

  test('what JavaScript writes is read as JavaScript means it', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(parseTime(date.toISOString())).toEqual({ us: date.getTime() * 1000, zoned: true });
        },
      ),
    );
  });
});

describe('a time is written in 27 characters', () => {
  test.each([
    [0, '1970-01-01T00:00:00.000000Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
    [SECOND + 7, '2026-02-19T10:30:44.000007Z'],
    [SECOND + 189_213.5, '2026-02-19T10:30:44.189213Z'],
    [LATEST_US, '2262-01-01T00:00:00.000000Z'],
  ])('%d', (us, text) => {
    expect(formatTime(us)).toBe(text);
  });

  test('what is written is read again as the same microsecond', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (us) => {
        const text = formatTime(us);
        expect(text).toHaveLength(27);
        expect(parseTime(text)).toEqual({ us, zoned: true });
        expect(Date.parse(text) * 1000).toBe(Math.floor(us / 1000) * 1000);
      }),
    );
  });

  test('days and seconds turn over where they should', () => {
    fc.assert(
      fc.property(fc.integer({ min: -700_000, max: 2_900_000 }), fc.integer({ min: -3, max: 3 }), (day, near) => {
        const us = day * 86_400e6 + near;
        expect(parseTime(formatTime(us))?.us).toBe(us);
      }),
    );
  });

  test.each([NaN, Infinity, -Infinity, 253_402_300_800e6, -62_167_219_200_000_016])(
    'a time without a four-digit year (%d) is a bug of the caller',
    (us) => {
      expect(() => formatTime(us)).toThrow(RangeError);
    },
  );
});

describe('a number since 1970', () => {
  test.each([
    ['seconds', 1_771_497_044, SECOND],
    ['seconds with a fraction', 1_771_497_044.189213, SECOND + 189_213],
    ['milliseconds', 1_771_497_044_189, SECOND + 189_000],
    ['milliseconds with a fraction', 1_771_497_044_189.213, SECOND + 189_213],
    ['microseconds', 1_771_497_044_189_213, SECOND + 189_213],
    ['nanoseconds', 1_771_497_044_189_213_000, SECOND + 189_213],
  ])('in %s is told by its size', (_, value, us) => {
    expect(epochTime(value)).toBe(us);
  });

  test.each([0, -1, 20, 20_260_219, 946_684_799, 4_102_444_800, 5e18, NaN, Infinity])('%d is no time', (value) => {
    expect(epochTime(value)).toBeUndefined();
  });

  test('every microsecond of this century survives in float seconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800e6, max: 4_102_444_799e6 }), (us) => {
        expect(epochTime(us / 1e6)).toBe(us);
      }),
    );
  });
});

describe('a local time beside the timestamp of the runtime', () => {
  test.each([
    ['UTC', 0, 0],
    ['UTC, written a moment before', -1500, 0],
    ['India', 5.5 * HOUR, 5.5 * HOUR],
    ['Nepal, four minutes late', 5.75 * HOUR - 240e6, 5.75 * HOUR],
    ['New York', -5 * HOUR, -5 * HOUR],
    ['Kiribati', 14 * HOUR, 14 * HOUR],
  ])('tells the zone: %s', (_, difference, offset) => {
    expect(zoneOffset(SECOND + difference, SECOND)).toBe(offset);
  });

  test.each([
    ['seven minutes off', 420e6],
    ['a day off', 24 * HOUR],
    ['fifteen hours off', 15 * HOUR],
    ['not a number', NaN],
  ])('tells nothing when it is %s', (_, difference) => {
    expect(zoneOffset(SECOND + difference, SECOND)).toBeNaN();
  });
});

test('what Elasticsearch cannot hold in nanoseconds is not storable', () => {
  expect([EARLIEST_US, SECOND, LATEST_US].map(storable)).toEqual([true, true, true]);
  expect([EARLIEST_US - 1, LATEST_US + 2, NaN].map(storable)).toEqual([false, false, false]);
  expect(BigInt(LATEST_US) * 1000n < 2n ** 63n).toBe(true);
});

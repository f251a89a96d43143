import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BACKOFF, pause } from '../../src/delivery/backoff.ts';

test('a pause is at most the doubled base or the cap, and at least what the sink asked for', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 5_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat({ max: 10_000_000 }),
      (attempt, random, asked) => {
        const ms = pause({ ...BACKOFF, random: () => random }, attempt, asked);
        expect(ms).toBeGreaterThanOrEqual(Math.min(asked, 3_600_000));
        expect(ms).toBeLessThanOrEqual(Math.max(Math.min(30_000, 250 * 2 ** attempt), Math.min(asked, 3_600_000)));
        expect(Number.isInteger(ms)).toBe(true);
      },
    ),
  );
});

test('a sink that asks for a day is asked again within the hour', () => {
  expect(pause(BACKOFF, 0, 86_400_000)).toBe(3_600_000);
});

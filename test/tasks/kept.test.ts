import { expect, test } from 'vitest';
import { mostIn } from '../../src/tasks/kept.ts';

test('a spool of gigabytes leaves as much room for what is open as one of a gigabyte, and a small one a sixteenth of it', () => {
  for (const gib of [1, 2, 4, 10, 100]) expect(mostIn({ max_bytes: gib * 2 ** 30 }).text).toBe(64 << 20);
  expect(mostIn({ max_bytes: 64 << 20 }).text).toBe(4 << 20);
});

/** What was expected beside what came: neighbours of the same number, where they have one. */
export interface Pair {
  readonly expected?: number;
  readonly got?: number;
}

/**
 * Puts what came beside what was expected, in the order of both, so that one that is missing or too many does not make all that follow look wrong.
 * `apart`: how far the two are from each other, from 0 (it is what is expected) to 1. `more`: others may stand between.
 */
export function align(
  expected: number,
  got: number,
  apart: (expected: number, got: number) => number,
  more: boolean,
): Pair[] {
  // Two that are not alike are still one thing changed rather than one missing and another too many, which would cost 2; with `more`, 1.
  const extra = more ? 0 : 1;
  const beside = (e: number, g: number): number => {
    const distance = apart(e, g);
    return distance === 0 ? 0 : (0.5 + 0.45 * distance) * (1 + extra);
  };
  // costs[e][g]: of the best way to put the rest of both beside each other, from e and g on.
  const costs = Array.from({ length: expected + 1 }, () => new Float64Array(got + 1));
  const ways = Array.from({ length: expected + 1 }, () => new Uint8Array(got + 1));
  for (let e = expected; e >= 0; e--) {
    for (let g = got; g >= 0; g--) {
      const missing = e < expected ? costs[e + 1]![g]! + 1 : Number.POSITIVE_INFINITY;
      const extras = g < got ? costs[e]![g + 1]! + extra : Number.POSITIVE_INFINITY;
      const both = e < expected && g < got ? costs[e + 1]![g + 1]! + beside(e, g) : Number.POSITIVE_INFINITY;
      const least = Math.min(missing, extras, both);
      costs[e]![g] = least === Number.POSITIVE_INFINITY ? 0 : least;
      ways[e]![g] = least === both ? BOTH : least === missing ? MISSING : EXTRA;
    }
  }
  const pairs: Pair[] = [];
  for (let e = 0, g = 0; e < expected || g < got;) {
    const way = ways[e]![g]!;
    if (way === BOTH) pairs.push({ expected: e++, got: g++ });
    else if (way === MISSING) pairs.push({ expected: e++ });
    else if (more) g++;
    else pairs.push({ got: g++ });
  }
  return pairs;
}

const BOTH = 0;
const MISSING = 1;
const EXTRA = 2;

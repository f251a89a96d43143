/** How many values are in each of some bins of equal width; `edges` has one more than there are bins. Both empty without values. */
export interface Histogram {
  readonly counts: readonly number[];
  readonly edges: readonly number[];
}

/** As `numpy.histogram` counts: a value on an edge is in the bin above it, but for the last edge; where all are equal, from half a unit below to half a unit above. */
export function histogram(values: readonly number[], bins: number): Histogram {
  if (values.length === 0) return { counts: [], edges: [] };
  let low = values.reduce((min, value) => Math.min(min, value));
  let high = values.reduce((max, value) => Math.max(max, value));
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const edges = edgesBetween(low, high, bins);
  const counts = Array<number>(bins).fill(0);
  for (const value of values) {
    let bin = Math.min(Math.floor(((value - low) / (high - low)) * bins), bins - 1);
    // The edges are rounded in their own way, and they decide.
    if (value < edges[bin]!) bin--;
    else if (bin < bins - 1 && value >= edges[bin + 1]!) bin++;
    counts[bin]! += 1;
  }
  return { counts, edges };
}

export function edgesBetween(low: number, high: number, bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, n) => (n === bins ? high : low + (n * (high - low)) / bins));
}

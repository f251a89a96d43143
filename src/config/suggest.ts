/** The name that was most likely meant; undefined when none is near. */
export function suggest(written: string, known: readonly string[]): string | undefined {
  const plain = fold(written);
  const same = known.find((name) => fold(name) === plain);
  if (same !== undefined) return same;
  const most = Math.max(1, Math.floor(plain.length / 3));
  let best: string | undefined;
  let least = most + 1;
  for (const name of known) {
    const distance = edits(plain, fold(name));
    if (distance < least) [best, least] = [name, distance];
  }
  if (best !== undefined) return best;
  // `url` for `urls`, `bytes` for `max_line_bytes`.
  const parts = known.filter((name) => plain.length > 2 && fold(name).includes(plain));
  return parts.length === 1 ? parts[0] : undefined;
}

/** ` did you mean X?` with what stands before it, or else what there is. */
export function didYouMean(written: string, known: readonly string[]): string {
  const meant = suggest(written, known);
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return known.length === 0 ? '' : `; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.\s]/g, '');
}

/** Letters to be put in, left out, replaced or swapped with their neighbour (optimal string alignment). */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

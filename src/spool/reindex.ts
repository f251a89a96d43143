import type { SpoolFile } from './files.ts';
import { SegmentIndex } from './index-table.ts';
import { Scanner } from './scan.ts';

/** The index of a segment that has no seal: one that is being written, or that was given up. Reads its headers up to `end`. */
export async function indexOf(file: SpoolFile, end: number): Promise<SegmentIndex> {
  const index = new SegmentIndex();
  const scanner = new Scanner(file, { end });
  let last = 0;
  for (let item = await scanner.next(() => false); item !== undefined; item = await scanner.next(() => false)) {
    const { header, at } = item;
    if (header?.kind !== 'batch' || header.seq <= last) continue;
    last = header.seq;
    index.add(header, at);
  }
  return index;
}

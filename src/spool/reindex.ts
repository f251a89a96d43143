import type { SpoolFile } from './files.ts';
import { SegmentIndex } from './index-table.ts';
import { Scanner } from './scan.ts';
import { readSeal } from './seal.ts';

/** The index of a segment: as its seal says it, or out of its headers up to `end` where it has none, since it is being written or was given up. */
export async function readIndex(file: SpoolFile, end: number): Promise<Buffer> {
  return (await readSeal(file))?.index ?? (await headersOf(file, end)).bytes();
}

async function headersOf(file: SpoolFile, end: number): Promise<SegmentIndex> {
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

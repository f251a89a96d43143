import { isDamage } from './damage.ts';
import type { SpoolFile, SpoolFs } from './files.ts';
import { decodeHeader, HEADER_BYTES, type Header } from './format.ts';
import { spoolNames, spoolPath } from './names.ts';
import { Scanner } from './scan.ts';

/** A file of the directory that is called like a segment. */
export interface SegmentFile {
  readonly path: string;
  readonly number: number;
  /** The first header in it that can be read and is of this spool, as a rule its snapshot's. */
  readonly head: Header | undefined;
}

/**
 * The segments of a directory in the order of their records, whatever they are called: a copy that was put back under another name is in its place. The spool is the
 * one that most files are of: a segment of another one, lying there by mistake, does not make strangers of all others.
 */
export async function findSegments(
  fs: SpoolFs,
  directory: string,
): Promise<{ spool: string | undefined; files: SegmentFile[]; next_number: number }> {
  const names = spoolNames(await fs.list(directory));
  const found: SegmentFile[] = [];
  for (const { number, kind } of names) {
    if (kind !== 'seg') continue;
    const path = spoolPath(directory, number, kind);
    found.push({ path, number, head: await within(fs, path, firstHeader) });
  }
  let spool = mostOf(found);
  const files: SegmentFile[] = [];
  for (const file of found) {
    const { path, head } = file;
    const ours = head !== undefined && head.src.startsWith(spool ?? '');
    const first = ours ? head : await within(fs, path, (opened) => anyHeader(opened, spool));
    spool ??= first?.src.slice(0, 16);
    files.push({ ...file, head: first });
  }
  files.sort((a, b) => before(a) - before(b) || a.number - b.number);
  return { spool, files, next_number: (names.at(-1)?.number ?? 0) + 1 };
}

/** The number before the first record of a file; one without any comes last. */
function before({ head }: SegmentFile): number {
  if (head === undefined) return Number.MAX_VALUE;
  return head.kind === 'batch' ? head.seq - 1 : head.seq;
}

/** Of two that are equally frequent, the one that was written to last. */
function mostOf(files: readonly SegmentFile[]): string | undefined {
  const counts = new Map<string, number>();
  let most: string | undefined;
  for (const { head } of files) {
    if (head === undefined) continue;
    const spool = head.src.slice(0, 16);
    const count = (counts.get(spool) ?? 0) + 1;
    counts.set(spool, count);
    if (count >= (counts.get(most ?? '') ?? 0)) most = spool;
  }
  return most;
}

/** What cannot be opened or read has no head: it is seen to later. */
async function within(
  fs: SpoolFs,
  path: string,
  look: (file: SpoolFile) => Promise<Header | undefined>,
): Promise<Header | undefined> {
  try {
    const file = await fs.open(path, 'read');
    try {
      return await look(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

async function firstHeader(file: SpoolFile): Promise<Header | undefined> {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const read = await file.read(bytes, 0, bytes.length, 0);
  return decodeHeader(bytes.subarray(0, read), 0);
}

async function anyHeader(file: SpoolFile, spool: string | undefined): Promise<Header | undefined> {
  const scanner = new Scanner(file, { end: await file.size(), spool, around: true });
  for (;;) {
    const item = await scanner.next(() => false);
    if (item === undefined || item.header !== undefined) return item?.header;
  }
}

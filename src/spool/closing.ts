import { errorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SpoolFile } from './files.ts';
import type { Mark } from './mark.ts';
import { sealRecord, type Segment, type Stamp } from './segment.ts';
import type { Snapshot } from './sources.ts';
import type { Unsealed } from './unsealed.ts';

/**
 * Closes a segment that an earlier process did not: takes the end away that was not committed, makes sure of what was, and writes the seal, so that the next start
 * need not read it as a whole. Where that fails it is read again.
 */
export async function closeSegment(
  file: SpoolFile,
  segment: Segment,
  found: Unsealed,
  all: { readonly seq: number; readonly mark: Mark; readonly snapshot: Snapshot; readonly stamp: Stamp },
  log: Log,
): Promise<void> {
  const { header, pieces } = sealRecord(all.seq, all.mark, all.snapshot, found.index, all.stamp);
  try {
    await file.truncate(segment.end);
    await writeAgain(file, found.tail, segment.end);
    const written = await file.write(pieces, segment.end);
    if (written < header.size.bytes) {
      await file.truncate(segment.end);
      return;
    }
    await file.datasync();
    segment.end += written;
  } catch (error) {
    log('warning', `spool: ${segment.path} could not be closed (${errorCode(error) ?? 'UNKNOWN'})`);
  }
}

/**
 * What a killed process had written is taken as committed, so it has to be on the disk from now on, whether or not there is room for a seal. A sync alone does not
 * see to that: when one has failed before, the pages that can be read count as written, and are not. So the last group is written once more, to where it is.
 */
async function writeAgain(file: SpoolFile, from: number, to: number): Promise<void> {
  const bytes = Buffer.alloc(to - from);
  if ((await file.read(bytes, 0, bytes.length, from)) === bytes.length) await file.write([bytes], from);
  await file.datasync();
}

import type { Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import type { Header } from './format.ts';
import type { Held } from './reader.ts';
import type { SpoolRecord } from './spool.ts';

/** The record that a header and its batch are. */
export function recordOf(
  header: Pick<Header, 'src' | 'seq' | 'day' | 'before' | 'size'>,
  batch: Batch,
  committed_at: number,
): SpoolRecord {
  const bases: number[] = [];
  let row = 0;
  for (const { ends } of batch.rows) {
    bases.push(row);
    row += ends.length;
  }
  const { src, seq, day, before, size } = header;
  return { src, seq, day, committed_at, batch, bases, before, size };
}

/** When a record of an earlier process was committed, on this one's monotonic clock: wall clocks jump, so no more than a month ago and not later than now. */
export function committedAt(header: Header, clock: Clock): number {
  const age = Math.min(Math.max(clock.wall() - header.committed_ms, 0), 30 * 86_400_000);
  return clock.monotonic() - age;
}

/** One use less of a record's memory; true when it was the last. */
export function drop(held: Held): boolean {
  held.refs -= 1;
  return held.refs === 0;
}

/** The pieces of memory that the rows of a record lie in. */
export function memoryOf({ batch }: SpoolRecord): Set<ArrayBuffer> {
  return new Set(batch.rows.map(({ bytes }) => bytes.buffer as ArrayBuffer));
}

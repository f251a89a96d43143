import type { BigIntStats } from 'node:fs';
import type { Position } from '../../batch.ts';
import { count, object, shaped, text } from '../../shape.ts';

/**
 * Which file it is, whatever it is called: a rename keeps all three. Inodes are used again at once (999 times in 1,000 on ext4), so that the time of birth must
 * be the same too. Texts, since an inode may be larger than a number is exact.
 */
export interface Identity {
  readonly dev: string;
  readonly ino: string;
  readonly birthtime_ns: string;
}

/** CRC-32 of the first `length` bytes: the same file may have been truncated and written anew. */
export interface Fingerprint {
  readonly crc: number;
  readonly length: number;
}

export interface FilePosition extends Identity {
  /** As it was named. */
  readonly path: string;
  readonly fingerprint: Fingerprint;
  /** Bytes of it that are in the spool. */
  readonly offset: number;
}

export function identityOf({ dev, ino, birthtimeNs }: BigIntStats): Identity {
  return { dev: `${dev}`, ino: `${ino}`, birthtime_ns: `${birthtimeNs}` };
}

export function sameFile(one: Identity, other: Identity): boolean {
  return one.ino === other.ino && one.dev === other.dev && one.birthtime_ns === other.birthtime_ns;
}

const filePosition = object<FilePosition>({
  path: text,
  dev: text,
  ino: text,
  birthtime_ns: text,
  fingerprint: object<Fingerprint>({ crc: count, length: count }),
  offset: count,
});

/** Undefined if the position names no file: there was none yet. */
export function readFilePosition(position: Position | undefined): FilePosition | undefined {
  return shaped(filePosition, position);
}

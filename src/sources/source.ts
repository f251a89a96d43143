import type { Readable } from 'node:stream';
import type { Position } from '../batch.ts';
import type { Framing } from '../framing/prefix.ts';
import type { Intake } from '../intake.ts';

/** Bytes, and the offset of the first of them in the source. */
export interface Opened {
  readonly bytes: Readable;
  readonly offset: number;
  /**
   * What becomes of the unfinished events that the position carries. Absent: the bytes go on behind it, and so do they. `end`: other bytes come, and they will
   * never be finished. `again`: what they are made of is read again.
   */
  readonly carried?: 'end' | 'again';
}

/** What reads by itself, and hands over what it has read: a directory of files, requests. */
export interface OwnSource {
  /** In counters and dead letters; positions and requests are kept under it. */
  readonly name: string;
  readonly resumes: boolean;
  readonly follows?: boolean;
  /** Called when a run begins, before anything is read. Throws a UsageError when what it needs cannot be had: an address that another has. */
  ready?(): Promise<void>;
  /** Of what somebody hands over and keeps until it is stored: true when all of it is committed. */
  readonly whole?: boolean;
  /**
   * Reads until it ends or `stop` aborts. Resolves when all that it has handed over is committed, or will not be (`intake.over`).
   * What fails here is a bug, or cannot be gone on with: it ends the run.
   */
  run(intake: Intake, stop: AbortSignal): Promise<void>;
}

export type Source = ByteSource | OwnSource;

/**
 * Where bytes come from. Reading can be stopped at any time; what was read by then is still delivered.
 *
 * A source advances by what is committed: the position of every batch is in its record, and after a restart `open` is given the last one. So what was
 * read and not committed is read again by a source that `resumes`, and lost by one that cannot.
 */
export interface ByteSource {
  /** In counters and dead letters: `stdin`, a file's path. Positions are kept under it. */
  readonly name: string;
  /** True when it can be read again from a position. Then an unfinished last line is left for the next time. */
  readonly resumes: boolean;
  /** True when it has no end of its own: then others are read beside it, not after it. */
  readonly follows?: boolean;
  /** What stands before its lines. */
  readonly framing?: Framing;
  /** True when its lines are written beside steptap: where nothing says whose they are, they are of its own pod. */
  readonly own?: boolean;
  /** The bytes, from behind the position on. Called once. */
  open(from: Position | undefined): Opened;
  /** The position when everything up to `offset` is in the spool. */
  position(offset: number): Position;
  /** A piece that `bytes` gave, which nobody looks at any more. */
  reuse?(read: Buffer): void;
}

import type { Readable } from 'node:stream';
import type { Position } from '../batch.ts';

/** Where bytes come from. Reading can be stopped at any time; what was read by then is still delivered. */
export interface Source {
  /** In counters and dead letters: `stdin`, a file's path. */
  readonly name: string;
  /** The bytes, from the start. Called once. */
  open(): Readable;
  /** The position when everything up to `offset` is in the spool. */
  position(offset: number): Position;
}

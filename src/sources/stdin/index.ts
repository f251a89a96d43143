import type { Readable } from 'node:stream';
import type { Framing } from '../../framing/prefix.ts';
import type { ByteSource } from '../source.ts';

/**
 * Standard input. A pipe cannot be read again: its position is for dead letters and for what is unfinished in it, and a SIGKILL loses what was read and
 * not yet committed.
 */
export function stdinSource(open: () => Readable = () => process.stdin, framing: Framing = 'any'): ByteSource {
  return {
    name: 'stdin',
    resumes: false,
    own: true,
    framing,
    open: () => ({ bytes: open(), offset: 0 }),
    position: (offset) => ({ offset }),
  };
}

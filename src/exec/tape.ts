import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What the command writes to standard error: a file without a name, which goes when the last process that has it open does. It is no pipe, so that the command
 * neither waits for whoever reads nor notices when nobody does.
 */
export interface Tape {
  /** Descriptor for reading. */
  readonly fd: number;
  /** Of another such file: its first eight bytes say how much of the tape was copied to standard error, so that another process can go on there. */
  readonly marks: number;
}

/** Where the tapping process finds them, and the standard error that they are copied to. Its 0 is a control pipe, its 1 a pipe for what it reports. */
export const DESCRIPTORS = { fd: 3, marks: 4, stderr: 5 } as const;

/** Descriptor 2 of the command, to be closed when it has it. */
export interface NewTape extends Tape {
  readonly append: number;
}

/** Undefined when there is no directory for temporary files that can be written: a container may have a root that is read-only. */
export function openTape(): NewTape | undefined {
  for (const directory of new Set([tmpdir(), '/tmp', '/dev/shm'])) {
    const tape = tapeIn(directory);
    if (tape !== undefined) return tape;
  }
  return undefined;
}

function tapeIn(parent: string): NewTape | undefined {
  let directory: string | undefined;
  try {
    directory = mkdtempSync(join(parent, 'steptap-'));
    const [tape, marks] = [join(directory, 'stderr'), join(directory, 'marks')];
    const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = constants;
    return {
      append: openSync(tape, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0o600),
      fd: openSync(tape, O_RDONLY),
      marks: openSync(marks, O_RDWR | O_CREAT | O_EXCL, 0o600),
    };
  } catch {
    return undefined;
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }
}

export function closeTape({ append, fd, marks }: NewTape): void {
  for (const each of [append, fd, marks]) closeSync(each);
}

const cell = Buffer.alloc(8);

/** How much of the tape was copied. */
export function copied({ marks }: Tape): number {
  return readSync(marks, cell, 0, 8, 0) === 8 ? Number(cell.readBigUInt64LE()) : 0;
}

export function setCopied({ marks }: Tape, offset: number): void {
  cell.writeBigUInt64LE(BigInt(offset));
  try {
    writeSync(marks, cell, 0, 8, 0);
  } catch {
    // A full disk: whoever takes over copies some of it again.
  }
}

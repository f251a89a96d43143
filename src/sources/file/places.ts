import type { Position } from '../../batch.ts';
import type { Generation } from './log-file.ts';
import type { FilePosition } from './position.ts';

interface Stretch {
  /** Offset in the stream of its first byte, and that byte's offset in the file. */
  readonly start: number;
  readonly offset: number;
  readonly file: Pick<Generation, 'identity' | 'fingerprint'>;
}

/** Which bytes of which file the bytes of a stream are: one file follows another in it, and a file itself that was truncated. */
export class Places {
  readonly #path: string;
  readonly #stretches: Stretch[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** From `start` in the stream on, it is `file` from where that stands. */
  begin(start: number, file: Generation): void {
    this.#stretches.push({ start, offset: file.offset, file });
  }

  /** The position of an offset in the stream. It only goes forward: what is behind it is forgotten. */
  of(offset: number): Position {
    const stretches = this.#stretches;
    while (stretches.length > 1 && stretches[1]!.start <= offset) stretches.shift();
    const [stretch] = stretches;
    if (stretch === undefined) return { path: this.#path, offset };
    const { identity, fingerprint } = stretch.file;
    const position: FilePosition = {
      path: this.#path,
      ...identity,
      fingerprint,
      offset: stretch.offset + offset - stretch.start,
    };
    return { ...position };
  }
}

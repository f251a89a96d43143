import { fstatSync, readSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../errors.ts';
import { copied, setCopied, type Tape } from './tape.ts';

/** As much as a pipe holds. It is also what is written twice when this process is killed between a write and its mark. */
const CHUNK_BYTES = 1 << 16;
/** The beginning of a tape tells one from another, and is never given back. */
const HEAD_BYTES = 64;
const LEAST_MS = 5;
const MOST_MS = 50;

const writeTo = promisify(write);

/**
 * Copies the tape to a descriptor as it grows, from where the marks say. What cannot be written there (the reader is gone, the disk is full) is passed over, as it
 * is lost to a command that writes there itself; the command goes on.
 *
 * A tape that was truncated (`echo > /dev/stderr` opens it anew, and truncates) is read from its start.
 */
export class Copy {
  readonly #tape: Tape;
  readonly #to: number;
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #offset: number;
  /** When there was nothing new: the time of the last change, and the beginning. */
  #changed = 0n;
  #head: Buffer | undefined;

  constructor(tape: Tape, to: number) {
    this.#tape = tape;
    this.#to = to;
    this.#offset = copied(tape);
  }

  /** Resolves when `over` has aborted and there is nothing left to copy. Can be called again. */
  async run(over: AbortSignal): Promise<void> {
    let pause_ms = LEAST_MS;
    for (;;) {
      const last = over.aborted;
      const length = this.#read();
      if (length > 0) {
        await this.#write(length);
        this.#goTo(this.#offset + length);
        pause_ms = LEAST_MS;
      } else if (this.#truncated()) {
        this.#goTo(0);
      } else if (last) {
        return;
      } else {
        await sleep(pause_ms, over);
        pause_ms = Math.min(pause_ms * 2, MOST_MS);
      }
    }
  }

  /** A disk that fails is no reason to end: the command may not even notice. */
  #read(): number {
    try {
      return readSync(this.#tape.fd, this.#chunk, 0, CHUNK_BYTES, this.#offset);
    } catch {
      return 0;
    }
  }

  async #write(length: number): Promise<void> {
    for (let from = 0; from < length;) {
      try {
        from += (await writeTo(this.#to, this.#chunk, from, length - from, null)).bytesWritten;
      } catch (error) {
        // Somebody who shares the descriptor has made it one that does not wait.
        if (errorCode(error) !== 'EAGAIN') return;
        await sleep(LEAST_MS);
      }
    }
  }

  #goTo(offset: number): void {
    this.#offset = offset;
    this.#changed = 0n;
    this.#head = undefined;
    setCopied(this.#tape, offset);
  }

  /**
   * Shorter than what was read; or just as long, changed since the last look, and beginning otherwise. The change alone says nothing: a write sets the time before
   * the length.
   */
  #truncated(): boolean {
    const { size, mtimeNs } = fstatSync(this.#tape.fd, { bigint: true });
    if (size < this.#offset) return true;
    if (size > this.#offset || mtimeNs === this.#changed) return false;
    const before = this.#head;
    const head = Buffer.alloc(Math.min(this.#offset, HEAD_BYTES));
    readSync(this.#tape.fd, head, 0, head.length, 0);
    this.#changed = mtimeNs;
    this.#head = head;
    return before !== undefined && !before.equals(head);
  }
}

async function sleep(ms: number, over?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      over?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    over?.addEventListener('abort', done);
  });
}

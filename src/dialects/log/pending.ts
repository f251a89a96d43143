import type { Origin } from '../../origin.ts';
import type { Captured } from '../flytekit/capture.ts';
import type { When } from '../when.ts';
import type { Level } from './level.ts';
import type { StackState } from './stack.ts';

/** A stack that is being printed, line by line. */
export interface OpenStack {
  state: StackState;
  readonly when: When;
  readonly level: Level;
  readonly logger: string | undefined;
  /** Its text so far, and blank lines that belong to it only if more of it comes. */
  text: string;
  lines: number;
  perhaps: { text: string; lines: number }[];
}

/** What of one stream is not finished yet. */
export interface Open {
  stack?: OpenStack | undefined;
  captured?: Captured | undefined;
  /** Monotonic milliseconds of its last line. */
  touched: number;
}

/** The unfinished events of a source, by stream. */
export class Pending {
  readonly #open = new Map<Origin, Open>();

  get any(): boolean {
    return this.#open.size > 0;
  }

  of(origin: Origin): Open | undefined {
    return this.#open.size === 0 ? undefined : this.#open.get(origin);
  }

  start(origin: Origin, now: number): Open {
    let open = this.#open.get(origin);
    if (open === undefined) {
      open = { touched: now };
      this.#open.set(origin, open);
    }
    return open;
  }

  /** Forgets a stream in which nothing is open any more. */
  settle(origin: Origin, open: Open): void {
    if (open.stack === undefined && open.captured === undefined) this.#open.delete(origin);
  }

  /** Those whose last line came before `before`. */
  older(before: number): [Origin, Open][] {
    return [...this.#open].filter(([, open]) => open.touched < before);
  }
}

import { originCarry, originOf, originSize, type OpenCarry } from '../../carry.ts';
import type { Origin, Origins } from '../../origin.ts';
import type { Captured } from '../flytekit/capture.ts';
import type { Timing } from '../flytekit/timing.ts';
import type { When } from '../when.ts';
import type { Level } from './level.ts';
import type { StackState } from './stack.ts';

/** A stack that is being printed, line by line. */
export interface OpenStack {
  state: StackState;
  readonly when: When;
  readonly level: Level | undefined;
  readonly logger?: string | undefined;
  /** Its text so far, and blank lines that belong to it only if more of it comes. */
  text: string;
  lines: number;
  perhaps: { readonly text: string; readonly lines: number }[];
}

/** What of one stream is not finished yet. */
export interface Open {
  stack?: OpenStack | undefined;
  captured?: Captured | undefined;
  /** Of steps that may follow. */
  timings?: Timing[] | undefined;
  /** Monotonic milliseconds of the last line of these. */
  touched: number;
  /** Of its first line, in the source. */
  readonly offset: number;
}

/** The unfinished events of a source, by stream. */
export class Pending {
  readonly #open = new Map<Origin, Open>();

  get count(): number {
    return this.#open.size;
  }

  of(origin: Origin): Open | undefined {
    return this.#open.size === 0 ? undefined : this.#open.get(origin);
  }

  start(origin: Origin, now: number, offset: number): Open {
    let open = this.#open.get(origin);
    if (open === undefined) {
      open = { touched: now, offset };
      this.#open.set(origin, open);
    }
    return open;
  }

  /** Forgets a stream in which nothing is open any more. */
  settle(origin: Origin, open: Open): void {
    const { stack, captured, timings = [] } = open;
    if (stack === undefined && captured === undefined && timings.length === 0) this.#open.delete(origin);
  }

  /** Those whose last line came before `before`. */
  older(before: number): [Origin, Open][] {
    return [...this.#open].filter(([, open]) => open.touched < before);
  }

  /** The one that was begun first. */
  get first(): [Origin, Open] | undefined {
    return this.#open.entries().next().value;
  }

  /** What the carry takes. */
  size(): number {
    let size = 0;
    for (const [origin, open] of this.#open) size += sizeOf(origin, open);
    return size;
  }

  carry(): OpenCarry[] {
    return [...this.#open].map(([origin, { stack, captured, timings = [], offset }]) => ({
      origin: originCarry(origin),
      offset,
      // Copies: what is open goes on.
      ...(stack === undefined ? {} : { stack: { ...stack, perhaps: [...stack.perhaps] } }),
      ...(captured === undefined ? {} : { captured: { ...captured } }),
      ...(timings.length === 0 ? {} : { timings: [...timings] }),
    }));
  }

  restore(carried: readonly OpenCarry[], origins: Origins, now: number): void {
    for (const { origin, offset, stack, captured, timings } of carried) {
      this.#open.set(originOf(origin, origins), { touched: now, offset, stack, captured, timings });
    }
  }
}

/** What it takes in a carry. */
export function sizeOf(origin: Origin, { stack, captured, timings = [] }: Open): number {
  let size = originSize(origin);
  if (stack !== undefined) {
    size += stack.text.length + (stack.logger?.length ?? 0);
    for (const { text } of stack.perhaps) size += text.length;
  }
  for (const { message, attributes } of timings) size += 256 + message.length + attributes.join('').length;
  return captured === undefined ? size : size + captured.reason.length + captured.trace.length + captured.task.length;
}

import { originCarry, originOf, originSize, type FailedCarry } from '../../carry.ts';
import type { Origin, Origins } from '../../origin.ts';
import { LONGEST_KEPT } from './compose.ts';
import type { Failed } from './fast.ts';
import type { LineIdentity } from './identity.ts';

/** Two steps fail for one error; with a few threads, a few more. */
const REMEMBERED = 8;
/** An error is printed right behind its step: milliseconds later, seconds on a busy node. Their clocks are one, their timestamps are cut to 1 ms. */
const WINDOW_US = 60_000_000;
const SLACK_US = 2_000;
/** Reading may lag behind the clock of the lines, but hardly by as much again. */
const FORGOTTEN_MS = 120_000;
/** All streams together; of more the stream that failed first is forgotten. They are part of every position. */
const MOST_SIZE = 1 << 18;

interface OfStream {
  readonly origin: Origin;
  /** Newest first. */
  readonly failed: readonly Failed[];
  readonly size: number;
  /** Monotonic milliseconds of the newest. */
  readonly at: number;
  /** Made once: it stands in every position from now on. */
  carry?: FailedCarry;
}

/** Each stream's latest failed steps: the error that is printed next is one of theirs. */
export class Failures {
  /** The stream that failed last is last. */
  readonly #streams = new Map<Origin, OfStream>();
  /** What the carry takes. */
  size = 0;

  get any(): boolean {
    return this.#streams.size > 0;
  }

  remember(origin: Origin, failed: Failed, now: number): void {
    if (lengthOf(failed.identity) > LONGEST_KEPT) return;
    this.#set(origin, [failed, ...(this.#streams.get(origin)?.failed ?? []).slice(0, REMEMBERED - 1)], now);
    this.forget(now);
  }

  /** Who failed just before `us`, in that stream, of that task if it is known. */
  find(origin: Origin, us: number, task: string, now: number): LineIdentity | undefined {
    this.forget(now);
    return this.#streams.get(origin)?.failed.find(({ identity, ts_us }) => {
      const later_us = us - ts_us;
      return later_us >= -SLACK_US && later_us <= WINDOW_US && (task === '' || task === identity.task);
    })?.identity;
  }

  /** Lets go of what no error will be blamed on any more. */
  forget(now: number): void {
    for (const [origin, { at }] of this.#streams) {
      if (now - at <= FORGOTTEN_MS && this.size <= MOST_SIZE) return;
      this.#delete(origin);
    }
  }

  carry(): readonly FailedCarry[] {
    return Array.from(
      this.#streams.values(),
      (stream) => (stream.carry ??= { origin: originCarry(stream.origin), failed: stream.failed }),
    );
  }

  restore(carried: readonly FailedCarry[], origins: Origins, now: number): void {
    for (const { origin, failed } of carried) this.#set(originOf(origin, origins), failed, now);
  }

  #set(origin: Origin, failed: readonly Failed[], at: number): void {
    this.#delete(origin);
    let size = originSize(origin);
    for (const { identity } of failed) size += 128 + lengthOf(identity);
    this.#streams.set(origin, { origin, failed, size, at });
    this.size += size;
  }

  #delete(origin: Origin): void {
    this.size -= this.#streams.get(origin)?.size ?? 0;
    this.#streams.delete(origin);
  }
}

function lengthOf({ execution_id, task, task_project, task_domain }: LineIdentity): number {
  return execution_id.length + task.length + task_project.length + task_domain.length;
}

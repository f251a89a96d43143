import type { Position } from './batch.ts';
import { readCarry } from './carry-shape.ts';
import { carryOf, MOST_CARRIED } from './carry.ts';
import type { Line } from './dialects/dialect.ts';
import type { Failures } from './dialects/flytekit/failures.ts';
import type { LogDialect } from './dialects/log/index.ts';
import type { Times } from './dialects/when.ts';
import type { Partials } from './framing/partials.ts';
import type { Origins } from './origin.ts';

interface Parts {
  readonly cut: Partials;
  readonly recorded: Partials;
  readonly log: LogDialect;
  readonly failures: Failures;
}

/** What a decoder has read that is not whole yet: lines, records, stacks, errors; and the failed steps that an error may still be about. */
export class Joins {
  readonly #parts: Parts;
  readonly #times: Times;
  readonly #content: (line: Line, unwrapped: boolean) => void;

  /** `content`: takes a line that is not waited for any longer; `unwrapped` if it was in a record. */
  constructor(parts: Parts, times: Times, content: (line: Line, unwrapped: boolean) => void) {
    this.#parts = parts;
    this.#times = times;
    this.#content = content;
  }

  /** Lines and events that are open. */
  get count(): number {
    const { cut, recorded, log } = this.#parts;
    return log.pending.count + cut.count + recorded.count;
  }

  /** What the carry takes, nearly. */
  size(): number {
    const { cut, recorded, log, failures } = this.#parts;
    const open = this.count === 0 ? 0 : log.pending.size() + cut.size + recorded.size;
    return open + failures.size;
  }

  /** Lets go of the oldest while all of them are too much to be carried. The last one has a bound of its own. */
  bound(): void {
    const { cut, recorded, log } = this.#parts;
    let over = this.size() - MOST_CARRIED;
    while (over > 0 && this.count > 1) {
      const before = cut.size + recorded.size;
      const oldest = Math.min(log.oldest, cut.oldest, recorded.oldest);
      if (oldest === log.oldest) over -= log.letGo();
      else if (oldest === cut.oldest) this.#content(cut.letGo(), false);
      else this.#content(recorded.letGo(), true);
      over -= before - cut.size - recorded.size;
    }
  }

  /** The source's position, with what is open beside it. */
  position(position: Position): Position {
    const { cut, recorded, log, failures } = this.#parts;
    if (failures.any) failures.forget(this.#times.monotonic());
    if (this.count === 0 && !failures.any) return position;
    const carry = carryOf({
      cut: cut.carry(),
      recorded: recorded.carry(),
      open: log.pending.carry(),
      failed: failures.carry(),
    });
    return { ...position, carry };
  }

  /** False if it is no carry that this version wrote: that costs a few joins; a start that failed for it would cost all that follows. */
  restore(value: unknown, origins: Origins): boolean {
    const carry = readCarry(value);
    if (carry === undefined) return false;
    const now = this.#times.monotonic();
    this.#parts.cut.restore(carry.cut, origins);
    this.#parts.recorded.restore(carry.recorded, origins);
    this.#parts.log.pending.restore(carry.open, origins, now);
    this.#parts.failures.restore(carry.failed, origins, now);
    return true;
  }
}

/** Capped exponential backoff with full jitter: `random() * min(cap, base * 2^attempt)`, in milliseconds. */
export interface Backoff {
  readonly base_ms: number;
  readonly cap_ms: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export const BACKOFF: Backoff = { base_ms: 250, cap_ms: 30_000, random: Math.random };

/** The pause before attempt number `attempt` (the first retry is 0); never less than what the sink asked for, up to an hour. */
export function pause(backoff: Backoff, attempt: number, retry_after_ms = 0): number {
  const ceiling = Math.min(backoff.cap_ms, backoff.base_ms * 2 ** Math.min(attempt, 30));
  return Math.max(Math.min(retry_after_ms, 3_600_000), Math.ceil(backoff.random() * ceiling));
}

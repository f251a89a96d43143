import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Truth } from './lines.ts';
import type { Asked, SinkCounts, Told } from './null-sink.ts';

export interface NullSinks {
  readonly clickhouse: string;
  readonly elasticsearch: string;
  counts(): Promise<SinkCounts>;
  /** Sets the counts to 0. */
  reset(): Promise<void>;
  stop(): void;
}

const ENTRY = fileURLToPath(new URL('./null-sink.ts', import.meta.url));

/** Starts the null sinks. With `bytes_per_second` they are as slow as that, each. */
export async function startNullSinks(bytes_per_second = 0): Promise<NullSinks> {
  const child = fork(ENTRY, [String(bytes_per_second)], { execArgv: ['--import', 'tsx'] });
  const ask = async (asked: Asked): Promise<SinkCounts> => {
    child.send(asked);
    const [told] = (await once(child, 'message')) as [Told];
    if ('ports' in told) throw new Error('the null sinks started twice');
    return told;
  };
  const [told] = (await once(child, 'message')) as [Told];
  if (!('ports' in told)) throw new Error('the null sinks did not say where they listen');
  const [clickhouse, elasticsearch] = told.ports;
  return {
    clickhouse: `http://127.0.0.1:${clickhouse}`,
    elasticsearch: `http://127.0.0.1:${elasticsearch}`,
    counts: () => ask('counts'),
    reset: async () => void (await ask('reset')),
    stop: () => void child.kill(),
  };
}

/** What is not as it has to be after the lines went through `times` times, as sentences: nothing when every step arrived once in each sink. */
export function differences(counts: SinkCounts, truth: Truth, times = 1): string[] {
  const wrong: string[] = [];
  for (const [sink, { rows, wall_ms }] of Object.entries(counts)) {
    if (rows !== truth.steps * times) wrong.push(`${sink} has ${rows} rows of ${truth.steps * times} steps`);
    if (Math.round(wall_ms) !== truth.wall_ms * times) {
      wrong.push(`wall_time_s at ${sink} sums up to ${wall_ms} ms, not ${truth.wall_ms * times} ms`);
    }
  }
  return wrong;
}

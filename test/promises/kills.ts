import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { until } from './steptap.ts';

export type Target = 'steptap' | 'clickhouse' | 'both' | 'SIGTERM' | 'SIGTERM twice';

const TARGETS: Readonly<Record<Target, number>> = {
  steptap: 70,
  clickhouse: 12,
  both: 8,
  SIGTERM: 5,
  'SIGTERM twice': 5,
};

/** What a kill has hit. */
export interface Hit {
  readonly target: Target;
  /** Requests that were open. */
  readonly open: readonly string[];
  /** Bytes of the file that were not in the spool. */
  readonly ahead: number;
}

/**
 * When a life ends, in milliseconds: of the newborn after the start of the process, of the young from when it reads, of the working from when ClickHouse has
 * stored rows for it. Some are long enough for a snapshot of the histograms.
 */
const LIVES = { newborn: 15, young: 25, working: 55, old: 5 } as const;
const ENDS: Readonly<Record<keyof typeof LIVES, readonly [number, number]>> = {
  newborn: [0, 400],
  young: [0, 1_000],
  working: [0, 800],
  old: [5_200, 6_000],
};

/** Steptap runs when it is called, and when it is done. The plan of a kill is the seed's; what it hits is chance. */
export async function kill(bench: Bench): Promise<Hit> {
  const { random, steptap } = bench;
  const target = random.weighted<Target>(TARGETS);
  const age = random.weighted(LIVES);
  const length = random.between(...ENDS[age]);
  // Half of them wait for a request to come, and hit it within its first milliseconds.
  const aims = random.chance(0.5);
  const delay = random.between(0, 6);
  const again = random.between(0, 1_500);
  await grown(bench, age);
  await sleep(length);
  if (aims) {
    await until(
      () => bench.open().length > 0,
      () => 'no request',
      3_000,
      1,
    ).catch(() => {});
    await sleep(delay);
  }
  const open = bench.open();
  const { written } = bench.file;
  if (target === 'clickhouse') {
    const ahead = written - (await bench.look());
    await bench.clickhouse.kill();
    await bench.clickhouse.restart();
    return { target, open, ahead };
  }
  const { ended } = steptap.life!;
  if (target === 'SIGTERM' || target === 'SIGTERM twice') {
    steptap.kill('SIGTERM');
    if (target === 'SIGTERM twice') {
      await Promise.race([ended, sleep(again)]);
      steptap.kill('SIGTERM');
    }
  } else {
    steptap.kill();
  }
  if (target === 'both') await bench.clickhouse.kill();
  await ended;
  const ahead = written - (await bench.look());
  steptap.start();
  if (target === 'both') await bench.clickhouse.restart();
  return { target, open, ahead };
}

/** Waits until the process is of that age; not for ever, since with faults it may not come to work. */
async function grown({ steptap, proxies }: Bench, age: keyof typeof LIVES): Promise<void> {
  const life = steptap.life!;
  const { stored } = proxies.clickhouse;
  const reads = (): boolean => !life.running() || life.stderr().includes('"reading ');
  const works = (): boolean => !life.running() || proxies.clickhouse.stored > stored;
  if (age === 'newborn') return;
  await until(reads, () => 'it does not begin', 30_000, 5).catch(() => {});
  if (age === 'working') await until(works, () => 'it does not work', 6_000, 2).catch(() => {});
}

/** A request was open, or the file was ahead of the spool. */
export function inFlight({ open, ahead }: Hit): boolean {
  return open.length > 0 || ahead > 0;
}

/** As a line: `steptap      1.2 MB ahead, clickhouse insert steps`. */
export function sayHit({ target, open, ahead }: Hit): string {
  const what = open.length === 0 ? 'no request open' : [...new Set(open)].join(', ');
  return `${target.padEnd(13)} ${String(Math.max(0, ahead)).padStart(8)} bytes ahead, ${what}`;
}

import { Bench, type BenchOptions } from './bench.ts';
import { DISK_POINTS, JOIN_POINTS, REQUEST_POINTS } from './crash-points.ts';
import { crashAtDisk, crashInJoin, crashInRequest, type Missed } from './crash-runs.ts';
import { inFlight, kill, sayHit } from './kills.ts';
import { end } from './ending.ts';
import type { Verdict } from './verdict.ts';

export interface RunOptions extends BenchOptions {
  /** Random kills, beside the crash points. */
  readonly kills: number;
  /** `half`: all in steptap's own work with its disk, and every second of those in requests, which the seed chooses. */
  readonly crash_points: boolean | 'half';
  readonly print: (line: string) => void;
}

export interface Report {
  readonly kills: number;
  readonly crashes: number;
  /** Share of the random kills that hit work in flight. */
  readonly in_flight: number;
  readonly verdict: Verdict;
  /** What is wrong, as sentences; empty when all is well. */
  readonly failures: readonly string[];
}

/** Of a hundred requests. The crash points have chances of their own. */
const RATE = { crash_points: 5, kills: 30 };

/** One run, from a seed to a verdict. */
export async function promises(options: RunOptions): Promise<Report> {
  const { print, seed } = options;
  const bench = await Bench.start(options);
  const failures: string[] = [];
  try {
    print(`seed ${seed}: ClickHouse (chdb), ${bench.search.name}, ${options.rotates ? 'rotations' : 'one file'}`);
    const crashes = options.crash_points === false ? 0 : await crashPoints(bench, failures, options);
    const in_flight = await randomKills(bench, options.kills, print);
    const needed = options.control === true ? 0 : 0.5;
    if (in_flight < needed) failures.push(`only ${percent(in_flight)} of the random kills hit work in flight`);
    const verdict = await end(bench, failures, print, options.control === true);
    return { kills: options.kills, crashes, in_flight, verdict, failures };
  } catch (error) {
    print(bench.steptap.life?.stderr().slice(-4_000) ?? '');
    throw error;
  } finally {
    await bench.stop();
  }
}

async function crashPoints(
  bench: Bench,
  failures: string[],
  { crash_points, seed, print }: RunOptions,
): Promise<number> {
  const chosen = <Point>(points: readonly Point[]): readonly Point[] =>
    crash_points === 'half' ? points.filter((_, n) => (n + seed) % 2 === 0) : points;
  bench.rate = RATE.crash_points;
  bench.pause = [20, 120];
  let count = 0;
  const tell = async (name: string, crash: () => Promise<Missed>): Promise<void> => {
    const began = performance.now();
    let missed = await crash();
    // A life in which nothing was to be done at that edge (a spool that is full takes no snapshot) says nothing of it.
    for (let again = 0; missed !== undefined && again < 2; again++) missed = await crash();
    count += 1;
    print(
      `crash point ${String(count).padStart(3)}  ${name}: ${missed === undefined ? 'hit' : `NOT HIT, ${missed}`} (${Math.round(performance.now() - began)} ms)`,
    );
    if (missed !== undefined) failures.push(`crash point ${name} was not hit: ${missed}`);
  };
  bench.steptap.start();
  for (const point of DISK_POINTS) {
    const { operation, place, nth } = point;
    await tell(`${operation} ${place}, number ${nth}`, () => crashAtDisk(bench, point));
  }
  for (const point of chosen(REQUEST_POINTS)) {
    const { sink, what, moment, dies } = point;
    await tell(`${sink} ${what.source} ${moment}: ${dies} dies`, () => crashInRequest(bench, point));
  }
  for (const point of chosen(JOIN_POINTS)) await tell(`open: ${point.name}`, () => crashInJoin(bench, point));
  return count;
}

/** Gives the share that hit work in flight. */
async function randomKills(bench: Bench, kills: number, print: RunOptions['print']): Promise<number> {
  bench.rate = RATE.kills;
  bench.pause = [5, 35];
  if (bench.steptap.life?.running() !== true) bench.steptap.start();
  let hits = 0;
  let asked = 0;
  let ahead = 0;
  for (let n = 1; n <= kills; n++) {
    const hit = await kill(bench);
    if (inFlight(hit)) hits += 1;
    if (hit.open.length > 0) asked += 1;
    if (hit.ahead > 0) ahead += 1;
    print(`kill ${String(n).padStart(4)}  ${sayHit(hit)}`);
  }
  if (kills === 0) return 1;
  print(
    `work in flight: ${percent(hits / kills)} of ${kills} kills (a request open: ${percent(asked / kills)}, the file ahead of the spool: ${percent(ahead / kills)})`,
  );
  for (const [sink, { counts }] of Object.entries(bench.proxies)) {
    const faults = [...counts].sort(([, a], [, b]) => b - a).map(([fault, count]) => `${fault} ${count}`);
    print(`${sink}: ${faults.join(', ')}`);
  }
  return hits / kills;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

import { promises, type Report, type RunOptions } from './run.ts';

export type PiecesOptions = Omit<RunOptions, 'rotates' | 'control'>;

/** So many kills on one state directory; then another run begins, with the next seed. */
const KILLS_A_RUN = 100;
const CONTROL_KILLS = 8;

/** As many runs as it takes for the kills; the crash points are in the first. Gives what went wrong. */
export async function pieces(options: PiecesOptions): Promise<string[]> {
  const { kills, seed, print } = options;
  const reports: Report[] = [];
  const failures: string[] = [];
  const began = performance.now();
  for (let n = 0; n === 0 || n * KILLS_A_RUN < kills; n++) {
    const of = Math.min(KILLS_A_RUN, kills - n * KILLS_A_RUN);
    const crash_points = n === 0 && options.crash_points;
    // Every other run rotates the file.
    const report = await promises({
      ...options,
      seed: seed + n,
      kills: of,
      crash_points,
      rotates: (seed + n) % 2 === 1,
    });
    reports.push(report);
    failures.push(...report.failures.map((failure) => `seed ${seed + n}: ${failure}`));
  }
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const rows = sum(({ verdict }) => verdict.sinks.reduce((total, each) => total + each.rows, 0));
  const [lost, duplicated, wrong] = (['lost', 'duplicated', 'wrong'] as const).map((what) =>
    sum(({ verdict }) => verdict.sinks.reduce((total, each) => total + each[what].length, 0)),
  );
  const seconds = Math.round((performance.now() - began) / 1000);
  const hit = Math.round((100 * sum((report) => report.in_flight * report.kills)) / Math.max(1, kills));
  print(
    `${sum((report) => report.kills)} random kills (${hit} % with work in flight) and ${sum((report) => report.crashes)} crash points in ${seconds} s, ` +
      `seed ${seed}: ${rows} rows stored, ${lost} lost, ${duplicated} duplicated, ${wrong} not whole`,
  );
  return failures;
}

/** The same without tokens, ids and questions: it has to double rows in both sinks, or the test above proves nothing. */
export async function controlRun(options: Omit<PiecesOptions, 'kills' | 'crash_points'>): Promise<string[]> {
  options.print('control, with the protection taken away:');
  const { verdict } = await promises({
    ...options,
    kills: CONTROL_KILLS,
    crash_points: false,
    rotates: false,
    control: true,
  });
  return verdict.sinks
    .filter(({ duplicated }) => duplicated.length === 0)
    .map(({ sink }) => `control: ${sink} has no duplicates without its protection, so this test cannot fail`);
}

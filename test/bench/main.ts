import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeLines, type Truth } from './lines.ts';
import { writeSession } from './rhapsody-lines.ts';
import {
  describe,
  LOOPS,
  machine,
  measure,
  median,
  megabytes,
  STEPTAP,
  table,
  type Machine,
  type Measured,
} from './measure.ts';
import { differences, startNullSinks, type NullSinks } from './sinks.ts';

/*
 * npm run bench -- [--lines 200000] [--runs 3] [--dialect flytekit|rhapsody] [--json]
 *
 * What steptap's job costs: CPU seconds (user and system, from the start of the process to its end) for a file of step logs, or of events of RHAPSODY, into ClickHouse and
 * Elasticsearch, with a histogram, and for parts of it. CPU seconds of different machines cannot be compared; the ratio to a JSON.parse loop
 * over the same lines can. Runs are interleaved, in changing order, so that a busy neighbour meets all of them.
 */

interface Subject {
  readonly name: string;
  readonly run: () => Promise<Measured>;
}

interface Result {
  readonly name: string;
  readonly lines_per_cpu_s: number;
  readonly cpu_s: number;
  readonly wall_s: number;
  /** CPU, to that of the JSON.parse loop. */
  readonly ratio: number;
  readonly peak_rss_mb: number;
  readonly runs: readonly { readonly cpu_s: number; readonly wall_s: number; readonly peak_rss_mb: number }[];
}

function subjects(file: string, directory: string, truth: Truth, sinks: NullSinks): Subject[] {
  const loop = (name: string, which: string): Subject => ({ name, run: () => measure([LOOPS, which, file]) });
  const decode = (name: string, which: string): Subject => ({
    name,
    run: async () => {
      const measured = await measure([LOOPS, which, file]);
      if (Number(measured.output) !== truth.steps)
        throw new Error(`${name}: ${measured.output} of ${truth.steps} events`);
      return measured;
    },
  });
  return [
    loop('JSON.parse loop', 'parse'),
    { name: 'steptap, whole job', run: () => job(file, directory, truth, sinks, false) },
    { name: 'the same, and tasks', run: () => job(file, directory, truth, sinks, true) },
    decode('decode only', 'decode'),
    decode('decode, reference path', 'reference'),
  ];
}

/** The whole job, after which every event has to be in both sinks once. `tasks`: and the tasks that are made of them, which nobody counts here. */
async function job(file: string, directory: string, truth: Truth, sinks: NullSinks, tasks: boolean): Promise<Measured> {
  const state = join(directory, 'state');
  const pipeline = join(directory, 'pipeline.yaml');
  writeFileSync(pipeline, `tasks: { enabled: ${tasks} }\n`);
  await sinks.reset();
  const into = ['--clickhouse', sinks.clickhouse, '--elasticsearch', sinks.elasticsearch, '--metrics', '127.0.0.1:0'];
  const constants = ['--set', 'namespace=ml-production', '--set', 'pod=p-n0-0'];
  const options = ['--input', file, '--logs', 'none', '--state', state];
  const measured = await measure([STEPTAP, 'run', '-c', pipeline, ...options, ...into, ...constants]);
  const wrong = differences(await sinks.counts(), truth);
  if (!tasks && wrong.length > 0) throw new Error(`not every event arrived once: ${wrong.join('; ')}`);
  rmSync(state, { recursive: true, force: true });
  return measured;
}

async function rounds(all: readonly Subject[], count: number): Promise<Map<string, Measured[]>> {
  const measured = new Map<string, Measured[]>(all.map(({ name }) => [name, []]));
  for (let round = 0; round < count; round++) {
    for (const { name, run } of round % 2 === 0 ? all : all.toReversed()) measured.get(name)!.push(await run());
  }
  return measured;
}

function results(measured: ReadonlyMap<string, readonly Measured[]>, lines: number): Result[] {
  const [yardstick] = measured.values();
  const base = median(yardstick!.map(({ cpu_s }) => cpu_s));
  return [...measured].map(([name, runs]) => {
    const cpu_s = median(runs.map((run) => run.cpu_s));
    return {
      name,
      lines_per_cpu_s: Math.round(lines / cpu_s),
      cpu_s,
      wall_s: median(runs.map((run) => run.wall_s)),
      ratio: cpu_s / base,
      peak_rss_mb: megabytes(median(runs.map((run) => run.peak_rss))),
      runs: runs.map((run) => ({ cpu_s: run.cpu_s, wall_s: run.wall_s, peak_rss_mb: megabytes(run.peak_rss) })),
    };
  });
}

function print(truth: Truth, found: readonly Result[], on: Machine, runs: number): void {
  const { lines, bytes, steps, errors, split } = truth;
  console.log(describe(on));
  console.log(
    `${lines} lines, ${(bytes / 1e6).toFixed(0)} MB: ${steps} events, ${errors} errors, ${split} split in two`,
  );
  console.log(
    `medians of ${runs} interleaved runs; each event was in both sinks once, and the sums of wall_time_s are equal\n`,
  );
  const rows = found.map((result) => [
    result.name,
    String(result.lines_per_cpu_s),
    result.cpu_s.toFixed(2),
    `${result.ratio.toFixed(2)}x`,
    result.wall_s.toFixed(2),
    result.peak_rss_mb.toFixed(0),
  ]);
  console.log(table([['', 'lines/CPU-s', 'CPU s', 'ratio', 'wall s', 'peak RSS MB'], ...rows]));
}

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '3' },
    dialect: { type: 'string', default: 'flytekit' },
    json: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const directory = mkdtempSync(join(tmpdir(), 'steptap-bench-'));
const on = machine();
const sinks = await startNullSinks();
try {
  const file = join(directory, 'steps.log');
  const truth = (values.dialect === 'rhapsody' ? writeSession : writeLines)(file, Number(values.lines));
  const found = results(await rounds(subjects(file, directory, truth, sinks), runs), truth.lines);
  if (values.json) console.log(JSON.stringify({ machine: on, lines: truth, runs, results: found }, undefined, 2));
  else print(truth, found, on, runs);
} finally {
  sinks.stop();
  rmSync(directory, { recursive: true, force: true });
}

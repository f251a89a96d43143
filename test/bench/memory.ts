import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { writeLines } from './lines.ts';
import { describe, LOOPS, machine, median, megabytes, messages, STEPTAP, USAGE, type Usage } from './measure.ts';
import { differences, startNullSinks, type NullSinks } from './sinks.ts';

/*
 * tsx test/bench/memory.ts [--bytes 2e9] [--lines 200000] [--sink-bytes-per-second 30e6]
 *
 * Does memory grow with what went through? Two gigabytes through a pipe into sinks that are slower than the source, so that it is held back all the
 * time: resident memory after 200 MB, and at the end.
 */

/** What both programs say: steptap its resident memory, the writer how far it is. */
type Message = { readonly rss: number } | { readonly written: number } | Usage;

interface Sample {
  readonly written: number;
  readonly rss: number;
}

const SAMPLE_MS = '100';
const EARLY_BYTES = 200e6;
const BOUND_BYTES = 32 << 20;

interface Run {
  readonly samples: readonly Sample[];
  readonly usage: Usage | undefined;
}

/** Pipes the file into steptap `times` times, through the kernel. */
async function pipe(file: string, times: number, directory: string, sinks: NullSinks): Promise<Run> {
  const writer = [process.execPath, LOOPS, 'repeat', file, String(times)];
  const into = ['--clickhouse', sinks.clickhouse, '--elasticsearch', sinks.elasticsearch, '--metrics', 'none'];
  const options = ['--logs', 'none', '--state', 'none'];
  const steptap = [process.execPath, '--require', USAGE, STEPTAP, 'run', ...options, ...into];
  const line = `${writer.map(quoted).join(' ')} | ${steptap.map(quoted).join(' ')}`;
  const child = spawn('sh', ['-c', line], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, STEPTAP_BENCH_SAMPLE_MS: SAMPLE_MS },
  });
  const samples: Sample[] = [];
  let written = 0;
  let usage: Usage | undefined;
  const heard = messages(child.stdio[3] as Readable, (said) => {
    const message = said as Message;
    if ('written' in message) ({ written } = message);
    else if ('rss' in message) samples.push({ written, rss: message.rss });
    else usage = message;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  await heard;
  if (code !== 0) throw new Error(`the pipe ended with ${code}`);
  return { samples, usage };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Resident memory when about `written` bytes had been written: a median, since collections come and go. */
function around(samples: readonly Sample[], from: number, to: number): number {
  return median(samples.filter(({ written }) => written >= from && written <= to).map(({ rss }) => rss));
}

const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '2e9' },
    lines: { type: 'string', default: '200000' },
    'sink-bytes-per-second': { type: 'string', default: '30e6' },
  },
});
const directory = mkdtempSync(join(tmpdir(), 'steptap-bench-'));
const rate = Number(values['sink-bytes-per-second']);
const sinks = await startNullSinks(rate);
try {
  console.log(describe(machine()));
  const file = join(directory, 'steps.log');
  const truth = writeLines(file, Number(values.lines));
  const times = Math.ceil(Number(values.bytes) / truth.bytes);
  const total = truth.bytes * times;
  const start = performance.now();
  const { samples, usage } = await pipe(file, times, directory, sinks);
  const wall_s = (performance.now() - start) / 1000;
  const wrong = differences(await sinks.counts(), truth, times);
  const early = around(samples, EARLY_BYTES * 0.9, EARLY_BYTES * 1.1);
  const late = around(samples, total - EARLY_BYTES * 0.2, total);
  const grown = late - early;
  const mb = (bytes: number): string => megabytes(bytes).toFixed(0);
  console.log(`${(total / 1e9).toFixed(2)} GB in ${wall_s.toFixed(0)} s into sinks of ${(rate / 1e6).toFixed(0)} MB/s`);
  for (let at = 0; at < total; at += EARLY_BYTES) {
    const there = samples.filter(({ written }) => written >= at && written < at + EARLY_BYTES).map(({ rss }) => rss);
    const until = (Math.min(at + EARLY_BYTES, total) / 1e6).toFixed(0);
    if (there.length > 0)
      console.log(`  to ${until.padStart(5)} MB  RSS ${mb(median(there))} MB, at most ${mb(Math.max(...there))} MB`);
  }
  console.log(
    `RSS ${mb(early)} MB after 200 MB, ${mb(late)} MB at the end: ${mb(grown)} MB more, at most ${mb(BOUND_BYTES)} allowed`,
  );
  if (usage !== undefined)
    console.log(`peak RSS ${mb(usage.peak_rss)} MB, CPU ${(usage.user_s + usage.sys_s).toFixed(1)} s`);
  console.log(wrong.length === 0 ? 'every step was in both sinks once' : wrong.join('\n'));
  process.exitCode = wrong.length === 0 && grown <= BOUND_BYTES ? 0 : 1;
} finally {
  sinks.stop();
  rmSync(directory, { recursive: true, force: true });
}

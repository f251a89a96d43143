import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** What a process used from its start to its end. */
export interface Usage {
  readonly user_s: number;
  readonly sys_s: number;
  /** Bytes. */
  readonly peak_rss: number;
}

export interface Measured extends Usage {
  readonly cpu_s: number;
  readonly wall_s: number;
  /** What it wrote to standard output. */
  readonly output: string;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
export const USAGE = here('./usage.cjs');
export const LOOPS = here('./loops.mjs');
/** The built program. */
export const STEPTAP = here('../../dist/cli/main.js');

/** Runs a Node program to its end. Throws, with what it wrote to standard error, when it fails. */
export async function measure(args: readonly string[]): Promise<Measured> {
  const start = performance.now();
  const child = spawn(process.execPath, ['--require', USAGE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  }) as ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };
  const [output, errors, told, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    text(child.stdio[3] as Readable),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  if (code !== 0) throw new Error(`${args.join(' ')}\nended with ${code}:\n${errors.slice(-4_000)}`);
  const usage = JSON.parse(told) as Usage;
  return { ...usage, cpu_s: usage.user_s + usage.sys_s, wall_s: (performance.now() - start) / 1000, output };
}

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

/** The messages that come as lines of JSON. */
export async function messages(stream: Readable, each: (message: unknown) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) each(JSON.parse(line));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below which are `share` of the values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** Processes that wanted to run, in the last minute, before anything was measured. */
  readonly load: number;
}

export function machine(): Machine {
  const processors = cpus();
  return { cpu: processors[0]?.model ?? '?', cores: processors.length, node: process.version, load: loadavg()[0] ?? 0 };
}

export function describe({ cpu, cores, node, load }: Machine): string {
  return `${cpu}, ${cores} cores, node ${node}, load ${load.toFixed(1)} before the run`;
}

/** Columns of equal width: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join('  ');
  return rows.map(line).join('\n');
}

export const megabytes = (bytes: number): number => bytes / (1 << 20);

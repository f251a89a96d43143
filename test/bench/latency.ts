import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { describe, machine, median, quantile, STEPTAP, table } from './measure.ts';

/*
 * tsx test/bench/latency.ts [--seconds 20] [--rates 100,10000]
 *
 * How long until a line is a row that a query finds: lines into standard input at a steady rate, rows counted in a real ClickHouse over HTTP. Rows are
 * stored in the order of their lines, so a count of n says that the first n lines are there.
 */

const TICK_MS = 10;
const POLL_MS = 10;
/** Rows have to be there so long after the last line. */
const PATIENCE_MS = 30_000;
const AIM_MS = 1_500;

function line(number: number): string {
  const now = new Date().toISOString();
  return (
    `${now.slice(0, 23)}000000Z stderr F {"asctime": "${now.slice(0, 10)} ${now.slice(11, 19)},${now.slice(20, 23)}", ` +
    `"name": "flytekit.telemetry", "levelname": "INFO", "message": "flytekit_step", "event": "flytekit_step", "step": "pre_execute", ` +
    `"wall_time_s": ${(number / 1000).toFixed(3)}, "process_time_s": 0.001, "status": "success", "execution_id": "a7hzqtz5cm6k2dnm7k2w", ` +
    `"task_name": "workflows.train.fit", "project": "ml", "domain": "production"}\n`
  );
}

/** Writes lines at a steady rate; gives when each was written. */
async function write(to: NodeJS.WritableStream, rate: number, seconds: number, sent: number[]): Promise<void> {
  const start = performance.now();
  const total = rate * seconds;
  while (sent.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) * rate) / 1000) + 1);
    let text = '';
    const now = performance.now();
    while (sent.length < due) {
      text += line(sent.length);
      sent.push(now);
    }
    if (text !== '' && !to.write(text)) await once(to, 'drain');
    await sleep(TICK_MS);
  }
}

/** Asks for the number of rows until it is `total`; gives when each line was first found. */
async function find(server: ClickHouseServer, total: number, deadline: () => number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < total) {
    const rows = Number(await count(server));
    const now = performance.now();
    while (found.length < rows) found.push(now);
    if (now > deadline()) throw new Error(`${found.length} of ${total} lines became rows`);
    await sleep(POLL_MS);
  }
  return found;
}

/** The table is made by steptap when it starts. */
async function count(server: ClickHouseServer): Promise<string> {
  try {
    return await server.query('SELECT count() FROM steps');
  } catch (error) {
    if (/UNKNOWN_TABLE/.test(String(error))) return '0';
    throw error;
  }
}

/** Milliseconds from line to row, by line. */
async function latencies(rate: number, seconds: number, directory: string): Promise<number[]> {
  const server = await startClickHouse();
  const child = spawn(
    process.execPath,
    [STEPTAP, 'run', '--clickhouse', server.url, '--metrics', 'none', '--state', join(directory, `state-${rate}`)],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  try {
    let said = '';
    const ready = new Promise<void>((resolve) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('clickhouse is ready')) resolve();
      });
    });
    const gone = once(child, 'close');
    const failed = gone.then(() => {
      throw new Error(`steptap ended:\n${said}`);
    });
    failed.catch(() => undefined);
    await Promise.race([ready, failed]);
    const sent: number[] = [];
    const total = rate * seconds;
    let last = Number.POSITIVE_INFINITY;
    const writing = write(child.stdin, rate, seconds, sent).then(() => {
      last = performance.now();
    });
    const found = await Promise.race([find(server, total, () => last + PATIENCE_MS), failed]);
    await writing;
    child.stdin.end();
    await gone;
    if (Number(await count(server)) !== total) throw new Error(`there are more rows than lines`);
    return found.map((at, n) => at - sent[n]!);
  } finally {
    child.kill('SIGKILL');
    await server.stop();
  }
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, rates: { type: 'string', default: '100,10000' } },
});
const directory = mkdtempSync(join(tmpdir(), 'steptap-bench-'));
try {
  console.log(describe(machine()));
  console.log(`from a line written to a row that a query finds, in milliseconds; aim: p99 below ${AIM_MS}\n`);
  const rows: string[][] = [];
  for (const rate of values.rates.split(',').map(Number)) {
    const all = await latencies(rate, Number(values.seconds), directory);
    const figures = [median(all), quantile(all, 0.99), quantile(all, 1)];
    rows.push([`${rate} lines/s`, String(all.length), ...figures.map((figure) => figure.toFixed(0))]);
    if (figures[1]! >= AIM_MS) process.exitCode = 1;
  }
  console.log(table([['', 'lines', 'median', 'p99', 'most'], ...rows]));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

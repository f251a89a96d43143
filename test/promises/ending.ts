import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { run as command, sample, until } from './steptap.ts';
import { judge, type Verdict } from './verdict.ts';

type Print = (line: string) => void;

/** Faults off: everything is delivered, one more event gets through, and the process stops in order. Then all is compared. */
export async function end(bench: Bench, failures: string[], print: Print, control: boolean): Promise<Verdict> {
  const { steptap, writer, oracle, file } = bench;
  bench.rate = 0;
  await writer.stop();
  // Whatever is still open in a stream is ended by the next line of it.
  for (let n = 0; n < 40; n++) file.write(oracle.portion(1, { log: 1 }).text);
  await drained(bench);
  file.write(oracle.portion(1, { step: 1 }).text);
  await drained(bench);
  const metrics = (await steptap.ask('/metrics')) ?? '';
  const { ended } = steptap.life!;
  steptap.kill('SIGTERM');
  const { code, stderr } = await ended;
  const verdict = await judge(bench);
  print(
    `${oracle.lines} lines in ${file.generations} files, ${oracle.expected.size} events; ${steptap.lives} lives of steptap`,
  );
  for (const { sink, rows, lost, duplicated, wrong, pieces } of verdict.sinks) {
    print(
      `${sink}: ${rows} rows, ${lost.length} lost, ${duplicated.length} duplicated, ${wrong.length} wrong, ${pieces.length} in pieces since they were written slowly`,
    );
    for (const [what, list] of Object.entries({ lost, duplicated, wrong })) {
      if (list.length > 0) failures.push(`${sink}: ${list.length} ${what}: ${list.slice(0, 5).join('; ')}`);
    }
  }
  const { letters } = verdict;
  print(`dead letters: ${letters.found}, expected ${letters.expected}, ${letters.wrong.length} wrong`);
  if (letters.wrong.length > 0) failures.push(`dead letters: ${letters.wrong.slice(0, 5).join('; ')}`);
  if (control) return verdict;
  const steps = oracle.count(({ table }) => table === 'steps');
  const observed = sample(metrics, HISTOGRAM);
  print(`histogram: ${observed} observations, ${steps} steps`);
  if (observed !== steps) failures.push(`the histogram has ${observed} observations of ${steps} steps`);
  if (code !== 0) failures.push(`steptap ended with ${code}: ${stderr.slice(-2_000)}`);
  failures.push(...ledgers(stderr, bench, print));
  const audit = await command(['audit', '--state', bench.state, ...bench.stores()]);
  if (audit.code !== 0) failures.push(`steptap audit: ${audit.output}`);
  const verify = await command(['spool', 'verify', '--state', bench.state]);
  if (verify.code !== 0) failures.push(`steptap spool verify: ${verify.output}`);
  print(`audit ${audit.code === 0 ? 'closed' : 'OPEN'}; spool verify: ${verify.output.trim().split('\n').at(-1)}`);
  return verdict;
}

const HISTOGRAM = 'steptap_step_duration_seconds_count';

/** Everything that was written is committed, and settled by every lane. */
async function drained(bench: Bench): Promise<void> {
  const { steptap, file } = bench;
  let why = '';
  await until(
    async () => {
      if (steptap.life?.running() !== true) steptap.start();
      const committed = await bench.look();
      const metrics = committed < file.written ? undefined : await steptap.ask('/metrics');
      const pending = metrics === undefined ? Number.NaN : sample(metrics, 'steptap_sink_pending_rows');
      why = `${file.written - committed} bytes are not read, ${pending} rows are pending`;
      return pending === 0 && (await steptap.ask('/readyz')) !== undefined;
    },
    () => `it does not drain: ${why}`,
    240_000,
    100,
  );
  // A join that is let go after its second of silence would be a row more: there is none, since all of them were ended.
  await sleep(50);
}

interface Totals {
  readonly accepted: number;
  readonly stored: number;
  readonly dead_lettered: number;
  readonly lost: number;
  readonly dropped: number;
  readonly pending: number;
}

/** For every sink: accepted = stored + dead-lettered + lost + dropped + pending, and accepted is what the oracle wrote for it. */
function ledgers(stderr: string, { oracle, file }: Bench, print: Print): string[] {
  const said = stderr.split('\n').find((line) => line.includes('"message":"stopped"'));
  if (said === undefined) return ['steptap did not say that it stopped'];
  const { sinks } = JSON.parse(said) as { sinks: Readonly<Record<string, Totals>> };
  const failures: string[] = [];
  const rows = oracle.count(({ table }) => table !== 'rejections');
  for (const [sink, { accepted, stored, dead_lettered, lost, dropped, pending }] of Object.entries(sinks)) {
    const line = `${sink}: accepted ${accepted} = stored ${stored} + dead letters ${dead_lettered} + lost ${lost} + dropped ${dropped} + pending ${pending}`;
    print(`ledger of ${line}`);
    if (accepted !== stored + dead_lettered + lost + dropped + pending || lost + dropped + pending > 0) {
      failures.push(`the ledger does not close: ${line}`);
    }
    const store = sink === 'clickhouse' || sink === 'elasticsearch';
    if (store && file.slow.size === 0 && accepted !== rows) failures.push(`${line}, of ${rows} that were written`);
  }
  return failures;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import type { DiskPoint, JoinPoint, RequestPoint } from './crash-points.ts';
import { until } from './steptap.ts';

/** What came of a crash point: undefined when it was hit, else why not. */
export type Missed = string | undefined;

const LONG_MS = 90_000;
/** Joins are let go after a second of silence: on a busy machine the kill may come too late, and is tried again. */
const TRIES = 6;

/** Each of these finds steptap dead or alive, and leaves it dead. */
export async function crashAtDisk(bench: Bench, { operation, place, nth, prepare }: DiskPoint): Promise<Missed> {
  const { steptap } = bench;
  if (prepare === 'stopped') await stopInOrder(bench);
  await die(bench);
  const life = steptap.start(`${operation} ${place} ${nth}`);
  if (prepare === 'burst') await tell(bench, { step: 1 }, 4_000);
  if (prepare === 'letters') await tell(bench, { broken: 1 }, 3);
  if (prepare === 'stop') {
    await Promise.race([
      life.ended,
      until(
        () => life.stderr().includes('"reading '),
        () => 'it does not begin',
      ),
    ]);
    await sleep(300);
    steptap.kill('SIGTERM');
  }
  const ended = await Promise.race([life.ended, sleep(LONG_MS)]);
  await die(bench);
  if (ended?.stderr.includes(`crash: ${operation} ${place}`)) return undefined;
  const said = (ended?.stderr ?? life.stderr()).slice(-2_000);
  return `${ended === undefined ? 'it went on' : `it ended with ${ended.signal ?? ended.code}`}: ${said}`;
}

export async function crashInRequest(bench: Bench, point: RequestPoint): Promise<Missed> {
  const { steptap, clickhouse, proxies } = bench;
  const proxy = proxies[point.sink];
  if (point.prepare === 'running') await leaveRunning(bench);
  if (steptap.life?.running() !== true) steptap.start();
  if (point.prepare === 'poison') await tell(bench, { refused: 1 }, 2);
  let hit = false;
  let restarted: Promise<void> | undefined;
  const meant = (what: string): boolean => !hit && point.what.test(what);
  proxy.cuts = ({ what }) => point.moment === 'half' && meant(what);
  proxy.at = (moment, { what }) => {
    if (point.prepare === 'part' && moment === 'received' && /^insert (?:half )?(?:steps|logs)$/.test(what))
      bench.forced = 'part';
    if (moment !== point.moment || !meant(what)) return;
    hit = true;
    if (point.dies !== 'clickhouse') steptap.kill();
    if (point.dies !== 'steptap') restarted = clickhouse.kill();
  };
  try {
    await until(
      () => hit || !steptap.life!.running(),
      () => 'no such request',
      LONG_MS,
    );
  } catch (error) {
    return (error as Error).message;
  } finally {
    proxy.at = () => {};
    proxy.cuts = () => false;
    bench.forced = undefined;
    if (restarted !== undefined) {
      await restarted;
      await clickhouse.restart();
    }
    await die(bench);
    if (point.prepare === 'running') await clickhouse.query('DROP TABLE IF EXISTS slowly');
  }
  return hit ? undefined : 'steptap ended by itself';
}

export async function crashInJoin(bench: Bench, point: JoinPoint): Promise<Missed> {
  const { file, oracle, writer, steptap } = bench;
  if (steptap.life?.running() !== true) steptap.start();
  return writer.alone(async () => {
    for (let tried = 1; ; tried++) {
      if (!steptap.life!.running()) steptap.start();
      await until(
        async () => (await bench.look()) >= file.written,
        () => 'the file is not read to its end',
        LONG_MS,
      );
      const { story, lines } = oracle.tell(point.kind);
      const next = lines[point.lines] ?? '';
      const head = next.slice(0, Math.round((next.length - 1) * (point.of_next ?? 0)));
      // A position is kept with rows, so somebody else's step stands behind the unfinished lines.
      const whole = point.lines === 0 ? '' : lines.slice(0, point.lines).join('') + oracle.aside();
      const before = file.written;
      file.write(whole + head);
      // Half a line is in no position: it is read, and left for the next time.
      if (whole === '') await sleep(100);
      await until(
        async () => (await bench.look()) >= before + whole.length,
        () => 'it is not read',
        LONG_MS,
        5,
      );
      await die(bench);
      const carry = JSON.stringify((await file.position(bench.state))?.['carry'] ?? '');
      const there = point.carries === undefined || point.carries.test(carry);
      if (!there) for (const { number } of story.expected) file.slow.add(number);
      file.write(next.slice(head.length) + lines.slice(point.lines + 1).join(''));
      if (there) return undefined;
      if (tried === TRIES) return `the join was let go ${TRIES} times before the process could be killed: ${carry}`;
    }
  });
}

async function die(bench: Bench): Promise<void> {
  bench.steptap.kill();
  await bench.steptap.life?.ended;
}

async function tell(bench: Bench, weights: Parameters<Bench['oracle']['portion']>[1], stories: number): Promise<void> {
  await bench.writer.alone(async () => {
    bench.file.write(bench.oracle.portion(stories, weights).text);
  });
}

/** It is told to stop, and does: then its cursors and histograms are as far as they can be. */
async function stopInOrder(bench: Bench): Promise<void> {
  const life = bench.steptap.life?.running() === true ? bench.steptap.life : bench.steptap.start();
  await until(
    () => life.stderr().includes('"reading ') || !life.running(),
    () => 'it does not begin',
    LONG_MS,
  );
  await sleep(1_500);
  bench.steptap.kill('SIGTERM');
  await life.ended;
}

/** A view makes an INSERT take eight seconds; in the middle of it steptap is killed. */
async function leaveRunning(bench: Bench): Promise<void> {
  const { clickhouse, steptap, proxies } = bench;
  await clickhouse.query(
    'CREATE MATERIALIZED VIEW slowly ENGINE = MergeTree ORDER BY n AS SELECT sleep(2.9) + sleep(2.8) + sleep(2.7) AS n FROM steps',
  );
  if (steptap.life?.running() !== true) steptap.start();
  let asked = false;
  proxies.clickhouse.at = (moment, { what }) => {
    asked ||= moment === 'asked' && /^insert .*steps$/.test(what);
  };
  await until(
    () => asked || !steptap.life!.running(),
    () => 'no INSERT',
    LONG_MS,
    5,
  );
  await sleep(300);
  await die(bench);
}

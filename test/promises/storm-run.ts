import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '../../src/batch.ts';
import { readFilePosition } from '../../src/sources/file/position.ts';
import { diskFs } from '../../src/spool/files.ts';
import { standing } from '../../src/spool/inspect.ts';
import type { ClickHouseServer } from '../support/clickhouse-server.ts';
import { Random } from './random.ts';
import { freePort, Steptap, until } from './steptap.ts';
import { holds, naive, StormLog } from './storm.ts';

export interface StormOptions {
  readonly seed: number;
  /** Milliseconds between two rotations. */
  readonly period_ms: number;
  readonly rotations: number;
  readonly kills: number;
  readonly server: ClickHouseServer;
  /**
   * True: the oldest file goes when there are five, as with kubelet, whatever became of it. False: not before steptap holds it or a younger one, since a machine that
   * is busy with other things may not give it a turn for as long as five rotations take.
   */
  readonly merciless?: boolean;
}

export interface StormVerdict {
  readonly written: number;
  readonly lost: number;
  readonly twice: number;
  /** Share of the lines that a naive tail of the same file has lost. */
  readonly naive_lost: number;
  readonly dead_letters: number;
  /** What steptap said, and what it did not understand: for when something is wrong. */
  readonly said: readonly string[];
}

/** Writes, rotates, kills and starts again, and counts what the store has in the end. */
export async function storm(options: StormOptions): Promise<StormVerdict> {
  const { seed, period_ms, rotations, kills, server, merciless = false } = options;
  const home = await mkdtemp(join(tmpdir(), 'steptap-storm-'));
  const random = new Random(seed);
  const database = `storm_${period_ms}_${seed}_${Date.now() % 100_000}`;
  await server.query(`CREATE DATABASE ${database}`);
  const log = new StormLog(join(home, 'pods/ns_pod_6f1c8f5e-0000-4000-8000-000000000001/main/0.log'), random);
  const pipeline = join(home, 'pipeline.yaml');
  await writeFile(pipeline, pipelineOf(home, server.url, database));
  const steptap = new Steptap(() => ['-c', pipeline], await freePort());
  let over = false;
  const control = naive(log.path, () => over);
  try {
    steptap.start();
    const pid = (): number | undefined => (steptap.life?.running() === true ? steptap.life.child.pid : undefined);
    const mayGo = (files: readonly string[]): boolean => merciless || holds(pid(), files);
    const at = Array.from({ length: kills }, (_, n) => Math.round(((n + 1) * rotations) / (kills + 1)));
    let down = 0;
    await until(
      () => holds(pid(), [log.which]),
      () => 'it never opened the file',
    );
    while (log.rotations < rotations) {
      log.write();
      await sleep(period_ms / 2);
      log.write();
      await sleep(period_ms / 2);
      log.rotate(mayGo);
      if (at.includes(log.rotations)) {
        // What it has read and not committed must be there when it comes back: no file goes now, and one has to be there still.
        const there = async (): Promise<boolean> => merciless || log.has(await committed(home, log.path));
        await until(
          () => (log.write(), there()),
          () => 'it fell behind the rotation',
          20_000,
          5,
        );
        steptap.kill();
        await steptap.life?.ended;
        down = 3;
      } else if (down > 0 && --down === 0) {
        steptap.start();
        await until(
          () => holds(pid(), [log.which]),
          () => `it never came back: ${steptap.life?.stderr()}`,
        );
      }
    }
    if (down > 0) steptap.start();
    log.write();
    over = true;
    const query = `SELECT count(), uniqExact(step_raw) FROM ${database}.steps FORMAT TSV`;
    const stored = async (): Promise<number[]> => (await server.query(query)).trim().split('\t').map(Number);
    let counts = await stored().catch(() => [0, 0]);
    const all = async (): Promise<boolean> => (
      (counts = await stored().catch(() => [0, 0])),
      counts[1]! >= log.written.length
    );
    await until(
      all,
      () => `${counts.join(' rows, ')} of ${log.written.length}: ${steptap.life?.stderr()}`,
      20_000,
    ).catch(() => {});
    steptap.kill('SIGTERM');
    await steptap.life?.ended;
    const [rows = 0, distinct = 0] = await stored();
    const letters = join(home, 'state/dead-letters');
    const names = await readdir(letters).catch(() => []);
    const wrong = await Promise.all(names.map((name) => readFile(join(letters, name), 'utf8')));
    const seen = new Set(Array.from((await control).matchAll(/"step": "(std\w+ \d+)"/g), ([, name]) => name));
    return {
      written: log.written.length,
      lost: log.written.length - distinct,
      twice: rows - distinct,
      naive_lost: 1 - seen.size / log.written.length,
      dead_letters: names.length,
      said: distinct === log.written.length && names.length === 0 ? [] : [...wrong, steptap.life?.stderr() ?? ''],
    };
  } finally {
    over = true;
    await control;
    steptap.kill();
    await steptap.life?.ended;
    log.end();
    await rm(home, { recursive: true, force: true });
  }
}

/** The file up to which the spool has the log. */
async function committed(home: string, path: string): Promise<string> {
  const { positions } = await standing(diskFs, join(home, 'state/spool')).catch(() => ({ positions: new Map() }));
  const position = readFilePosition((positions as ReadonlyMap<string, Position>).get(path));
  return `${position?.ino} ${position?.birthtime_ns}`;
}

function pipelineOf(home: string, url: string, database: string): string {
  return [
    'sources:',
    `  pods: {type: files, paths: ['${home}/pods/*/*/*.log']}`,
    'sinks:',
    `  clickhouse: {type: clickhouse, urls: ['${url}'], database: ${database}}`,
    `state: {directory: '${home}/state'}`,
    '',
  ].join('\n');
}

import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Home } from '../cli/parts.ts';
import { chdbMissing } from '../support/chdb.ts';
import { startClickHouse } from '../support/clickhouse-server.ts';
import type { Fields } from '../support/decode.ts';
import { seeded } from '../support/oracle-fs.ts';
import { desk, samples, tableOf } from './parts.ts';

const home = new Home();

const unavailable = chdbMissing();
const skipped = unavailable !== undefined && process.env['CI'] !== 'true';

const KILLS = 20;
const TASKS = 60;

/** The sample task, in another execution that began so many minutes later. Every third is the one that fails, and says why. */
function taskOf(number: number): string[] {
  const execution = `a${String(number).padStart(19, '0')}`;
  const lines = number % 3 === 1 ? [...samples(22, 23), ...samples(33, 36)] : samples(1, 21, [12]);
  const first = timeOf(lines[0]!);
  const begins = Date.parse('2026-02-19T10:00:00Z') + number * 60_000;
  return lines.map((line) => {
    const at = new Date(begins + timeOf(line) - first);
    const asctime = at.toISOString().slice(0, -1).replace('T', ' ').replace('.', ',');
    return line.replace(TIME, asctime).replaceAll(EXECUTIONS, execution);
  });
}

const TIME = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}/;
const EXECUTIONS = /a7hzqtz5cm6k2dnm7k2w|f1c0b5a2e93d4c7f8a61/g;

function timeOf(line: string): number {
  return Date.parse(`${TIME.exec(line)![0].replace(' ', 'T').replace(',', '.')}Z`);
}

test.skipIf(skipped)(
  'after twenty kills the store has every task once, as without any',
  async () => {
    expect(unavailable).toBeUndefined();
    const tasks = Array.from({ length: TASKS }, (_, number) => taskOf(number));
    const expected = await without(tasks.flat());
    expect(expected.size).toBe(TASKS);

    const clickhouse = await startClickHouse();
    onTestFinished(() => clickhouse.stop());
    const random = seeded(11);
    const log = join(home.path, 'task.log');
    await writeFile(log, '');
    const args = ['--input', log, '--follow', '--clickhouse', clickhouse.url, '--metrics', 'none'];
    const lines = tasks.flat();
    const part = Math.ceil(lines.length / KILLS);
    for (let kill = 0; kill < KILLS; kill++) {
      const life = home.start(args);
      const until = lines.splice(0, part);
      // Some die before anything is stored.
      await life.said(kill % 2 === 0 ? /^reading/ : /is ready/);
      // In pieces that end anywhere, so that a kill finds something under way.
      for (const text of [until.slice(0, 9), until.slice(9)]) {
        await appendFile(log, Buffer.from(text.map((line) => `${line}\n`).join(''), 'latin1'));
        await sleep(random() * 150);
      }
      life.kill('SIGKILL');
      await life.ended;
    }
    const life = home.start(args);
    let rows: Fields[] = [];
    await expect
      .poll(
        async () => {
          const text = await clickhouse.query('SELECT * FROM tasks FORMAT JSONEachRow').catch(() => '');
          rows = text
            .split('\n')
            .filter((each) => each !== '')
            .map((each) => JSON.parse(each) as Fields);
          return [...tableOf(rows).values()].filter(({ end_reason }) => end_reason === 'completed').length;
        },
        { timeout: 60_000, interval: 200 },
      )
      .toBe(TASKS);
    life.kill('SIGTERM');
    await life.ended;
    expect(said(tableOf(rows))).toEqual(said(expected));
  },
  240_000,
);

/** The same by a stage that nobody kills. */
async function without(lines: readonly string[]): Promise<Map<string, Fields>> {
  const { say, end } = desk();
  await say(lines);
  return tableOf(await end());
}

/** What counts of a task, in the same words from everywhere. */
function said(table: ReadonlyMap<string, Fields>): unknown[] {
  return [...table].map(([key, task]) => [
    key,
    ...['execution_id', 'status', 'wall_time_s', 'end_reason'].map((name) => task[name]),
    // ClickHouse has it as text.
    typeof task['waterfall'] === 'string' ? task['waterfall'] : JSON.stringify(task['waterfall']),
    Number(task['steps']),
    task['root_error_type'] ?? '',
  ]);
}

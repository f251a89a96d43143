import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home, line } from './parts.ts';

const home = new Home();

async function pipeline(url: string, tables: string): Promise<void> {
  const yaml = `sinks:\n  clickhouse: { urls: ["${url}"]${tables} }\n  prometheus: { listen: none }\nsources: { file: { path: in.log } }\n`;
  await writeFile(join(home.path, 'p.yaml'), yaml);
}

const LOGS = 'INFO one\nINFO two\nINFO three\n';

test('a store gets the tables that the pipeline sends it, and its ledger closes when that changes while rows wait', async () => {
  const { server, backend } = await home.clickhouse();
  const counts = (): Record<string, number> => {
    const of: Record<string, number> = {};
    for (const { table } of backend.rows) of[table] = (of[table] ?? 0) + 1;
    return of;
  };
  const run = async (...args: string[]): Promise<{ code: number | null; said: string[]; sink: unknown }> => {
    const { code, log } = await home.start(['-c', 'p.yaml', ...args]).ended;
    const { clickhouse } = log.at(-1)!['sinks'] as Record<string, unknown>;
    return {
      code,
      said: log.map(({ message }) => message).filter((message) => message.includes('dropped')),
      sink: clickhouse,
    };
  };

  await writeFile(join(home.path, 'in.log'), line('a') + LOGS);
  await pipeline(server.url, ', tables: [steps]');
  expect(await run()).toMatchObject({ code: 0, sink: { accepted: 1, stored: 1, dropped: 0, pending: 0 } });
  expect(counts()).toEqual({ steps: 1 });

  // Now all of them: what was not its own before stays so.
  await appendFile(join(home.path, 'in.log'), line('b') + LOGS);
  await pipeline(server.url, '');
  await server.leave();
  expect(await run('--grace', '0')).toMatchObject({ code: 1, sink: { accepted: 5, stored: 1, pending: 4 } });

  // And while they wait, only logs: the step that waits goes nowhere, and is counted.
  await server.comeBack();
  await pipeline(server.url, ', tables: [logs]');
  const last = await run();
  expect(last).toMatchObject({ code: 0, sink: { stored: 5 - last.said.length, pending: 0 } });
  const { accepted, stored, dropped } = last.sink as Record<string, number>;
  expect(accepted).toBe(stored! + dropped!);
});

import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startClickHouse } from '../support/clickhouse-server.ts';
import { Home } from './parts.ts';

const home = new Home();
const TYPES = `event_types:
  my.Score:
    fields: { took_s: float }
    histogram: { field: took_s }
    conditions: { slow: took_s > 0.5 }
`;

/** Writes events until it is told to end; resolves with their number. */
function writing(path: string): () => Promise<number> {
  let count = 0;
  let over = false;
  const done = (async () => {
    while (!over) {
      let text = '';
      for (let n = 0; n < 10; n++, count++) {
        text += `{"event_id": "${count}", "event_type": "my.Score", "event_time": 1771497044.5, "emit_time": 1771497044.5, "session_id": "s", "backend": "b", "task_id": null, "node_id": null, "attributes": {}, "took_s": 0.75}\n`;
      }
      await appendFile(path, text);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  return async () => {
    over = true;
    await done;
    return count;
  };
}

test('a type that is declared while its events come loses no value of them, and each that has it is counted', async () => {
  const clickhouse = await startClickHouse();
  try {
    const log = join(home.path, 'in.log');
    const path = join(home.path, 'p.yaml');
    const plain = `sources: { app: { type: file, path: in.log, follow: true } }
sinks:
  clickhouse: { urls: ['${clickhouse.url}'] }
  other: { type: clickhouse, urls: ['${clickhouse.url}'], database: other }
  prometheus: { listen: '127.0.0.1:0' }
`;
    await writeFile(log, '');
    await writeFile(path, plain);
    const cli = home.start(['-c', 'p.yaml']);
    const url = String((await cli.said(/^reading/))['metrics']);
    await cli.saidTimes(/is ready/, 2);
    const end = writing(log);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await writeFile(path, plain + TYPES);
    cli.kill('SIGHUP');
    await cli.said(/^the pipeline was read again/);
    // By the signal, or because the file was looked at before it.
    expect(cli.log.map(({ message }) => message).join('\n')).toMatch(/taken over; other than before: event_types$/m);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const count = await end();
    const stored = async (database: string): Promise<string> =>
      (await clickhouse.query(`SELECT count() FROM ${database}.events FORMAT TSV`)).trim();
    while ((await stored('default')) !== `${count}` || (await stored('other')) !== `${count}`);
    const [all, lost] = ['took_s = 0.75', "took_s IS NULL AND attributes['took_s'] != '0.75'"];
    const of = async (database: string): Promise<number[]> => {
      const text = await clickhouse.query(
        `SELECT countIf(${all}), countIf(${lost}) FROM ${database}.events FORMAT TSV`,
      );
      return text.trim().split('\t').map(Number);
    };
    const [typed] = await of('default');
    expect([await of('default'), await of('other')]).toEqual([
      [typed, 0],
      [typed, 0],
    ]);
    const counted = [
      `steptap_event_conditions_total{event="my.Score",condition="slow"} ${typed}`,
      `steptap_event_my_score_took_seconds_count ${typed}`,
    ];
    let metrics: string[] | undefined = [];
    for (let tries = 0; tries < 20 && metrics?.join() !== counted.join(); tries++) {
      const text = await (await fetch(url)).text();
      metrics = text.match(/^steptap_event_(?:conditions_total|my_score_took_seconds_count).*$/gm)?.map(String);
    }
    expect(metrics).toEqual(counted);
    cli.kill('SIGTERM');
    expect((await cli.ended).code).toBe(0);
  } finally {
    await clickhouse.stop();
  }
}, 120_000);

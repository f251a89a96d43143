import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { ask, parsed, sample, scratch, start, stepLine, until, type Running } from '../support/e2e.ts';
import { bringsRows, startProxy } from '../support/proxy.ts';
import { describeWithServer } from '../support/with-server.ts';

/** How long Elasticsearch is away: half of it nothing listens, half of it nothing answers. Minutes are for a run by hand. */
const OUTAGE_MS = Number(process.env['STEPTAP_OUTAGE_S'] ?? 8) * 1_000;
const LINES_PER_BEAT = 200;
const BEAT_MS = 100;

interface Ready {
  readonly ready: boolean;
  readonly sinks: Readonly<Record<string, { readonly state: string; readonly reason?: string }>>;
}

let clickhouse: ClickHouseServer;
beforeAll(async () => {
  clickhouse = await startClickHouse();
});
afterAll(async () => {
  await clickhouse?.stop();
});

/** Writes steps at a steady pace, numbered, until it is told to end; then says how many they are. */
function load(running: Running): () => Promise<number> {
  const going = new AbortController();
  const done = (async () => {
    let count = 0;
    while (!going.signal.aborted) {
      let text = '';
      for (let n = 0; n < LINES_PER_BEAT; n++) text += `${stepLine({ execution_id: `load ${count++}` })}\n`;
      await running.write(text);
      await sleep(BEAT_MS);
    }
    return count;
  })();
  return () => {
    going.abort();
    return done;
  };
}

async function readyz(running: Running): Promise<[number, Ready]> {
  const answer = await fetch(`http://${await running.address()}/readyz`);
  return [answer.status, (await answer.json()) as Ready];
}

for (const kind of ['opensearch', 'elasticsearch'] as const) {
  describeWithServer(kind, (server) => {
    test(
      'while the search engine is away ClickHouse gets its rows at once; the backlog is on disk, is told, and drains when it is back',
      async () => {
        const state = await scratch();
        const proxy = await startProxy(() => server().url);
        const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: `outage_${kind}` };
        const sql = (query: string): Promise<string> => ask(clickhouse.url, query, `outage_${kind}`);
        const stores = [
          '--clickhouse',
          clickhouse.url,
          '--elasticsearch',
          proxy.url,
          '--elasticsearch-prefix',
          'outage',
        ];
        const args = [...stores, '--state', state, '--metrics', '127.0.0.1:0'];
        const running = start(args, env);
        const of = (text: string, name: string, sink: string): number =>
          sample(text, `steptap_sink_${name}`, `sink="${sink}"`);
        const ready = async (): Promise<boolean> => (await readyz(running))[0] === 200;
        await until(ready, () => running.stderr());
        const end = load(running);
        const both = async (): Promise<boolean> => {
          const text = await running.metrics();
          return ['clickhouse', 'elasticsearch'].every((sink) => of(text, 'stored_rows_total', sink) > 0);
        };
        await until(both, () => running.stderr());

        // Away: first nothing listens, then nothing answers.
        await proxy.leave();
        const since = Date.now();
        const backlog: number[] = [];
        const waiting: number[] = [];
        const stored: number[] = [];
        let told: [number, Ready] | undefined;
        let last = '';
        while (Date.now() - since < OUTAGE_MS || told === undefined) {
          await sleep(250);
          if (
            Date.now() - since > OUTAGE_MS / 2 &&
            proxy.deed({ method: 'POST', path: '/_bulk', body: Buffer.alloc(0) }) === 'pass'
          ) {
            proxy.deed = (passing) => (bringsRows(passing) ? 'hang' : 'pass');
            await proxy.comeBack();
          }
          last = await running.metrics();
          backlog.push(of(last, 'pending_rows', 'elasticsearch'));
          waiting.push(of(last, 'pending_rows', 'clickhouse'));
          stored.push(of(last, 'stored_rows_total', 'clickhouse'));
          const now = await readyz(running);
          if (now[1].sinks['elasticsearch']?.state === 'retrying') told = now;
        }
        expect(told).toMatchObject([
          503,
          {
            ready: false,
            sinks: {
              clickhouse: { state: 'running' },
              elasticsearch: { state: 'retrying', reason: expect.stringMatching(/cannot be reached|ECONN/) },
            },
          },
        ]);
        const accepted = of(last, 'accepted_rows_total', 'clickhouse');
        // Elasticsearch has nothing of what came since, ClickHouse all but what is on its way.
        expect(backlog.at(-1)).toBeGreaterThan(accepted / 2);
        expect(backlog.at(-1)).toBeGreaterThan(Math.max(...waiting));
        expect(stored.at(-1)).toBeGreaterThan(stored[0]!);
        expect(of(last, 'pending_bytes', 'elasticsearch')).toBeGreaterThan(100 * backlog.at(-1)!);
        expect(of(last, 'pending_bytes', 'clickhouse')).toBeLessThan(of(last, 'pending_bytes', 'elasticsearch'));
        expect(of(last, 'oldest_pending_seconds', 'elasticsearch')).toBeGreaterThan(OUTAGE_MS / 2_000);
        expect(of(last, 'oldest_pending_seconds', 'clickhouse')).toBeLessThan(
          of(last, 'oldest_pending_seconds', 'elasticsearch'),
        );
        expect(sample(last, 'steptap_spool_bytes')).toBeGreaterThan(of(last, 'pending_bytes', 'elasticsearch') / 2);
        const listed = await start(['spool', 'ls', '--json', '--state', state]).end();
        const lanes = parsed(listed.stdout).flatMap(({ sink }) => (typeof sink === 'object' ? [sink] : []));
        expect(lanes).toContainEqual(
          expect.objectContaining({ sink: 'elasticsearch', bytes_waiting: expect.any(Number) }),
        );

        // Back: connections that hung are cut, as by a server that was restarted.
        await proxy.leave();
        proxy.deed = () => 'pass';
        await proxy.comeBack();
        const count = await end();
        const back = async (): Promise<boolean> =>
          of((last = await running.metrics()), 'pending_rows', 'elasticsearch') < backlog.at(-1)!;
        await until(back, () => last + running.stderr(), 60_000);
        const [from, left] = [Date.now(), of(last, 'pending_rows', 'elasticsearch')];
        const drained = async (): Promise<boolean> => {
          last = await running.metrics();
          return of(last, 'pending_rows', 'elasticsearch') === 0 && of(last, 'pending_rows', 'clickhouse') === 0;
        };
        await until(drained, () => last + running.stderr(), 120_000);
        const seconds = Math.max(0.1, (Date.now() - from) / 1_000);
        const { code, stderr } = await running.end();
        expect({ code, stderr }).toMatchObject({ code: 0 });
        console.log(
          `${kind}: ${OUTAGE_MS / 1_000} s away, a backlog of ${backlog.at(-1)} rows; the last ${left} drained at ${Math.round(left / seconds)} rows/s`,
        );

        // One line for each change of state, however often it was tried.
        const lines = parsed(stderr)
          .filter(({ sink, message }) => sink === 'elasticsearch' && !String(message).includes('wait'))
          .map(({ message }) => String(message).replace(/:.*/s, ''));
        expect(lines).toEqual(['elasticsearch is ready', 'elasticsearch is tried again', 'elasticsearch is ready']);
        expect(await sql('SELECT count(), uniqExact(execution_id) FROM steps FORMAT TSV')).toBe(`${count}\t${count}\n`);
        await fetch(`${server().url}/outage-steps-*/_refresh`, { method: 'POST' });
        expect(await (await fetch(`${server().url}/outage-steps-*/_count`)).json()).toMatchObject({ count });
        const audit = await start(['audit', '--state', state, ...stores], env).end();
        await proxy.leave();
        expect(audit).toMatchObject({ code: 0 });
      },
      OUTAGE_MS + 240_000,
    );
  });
}

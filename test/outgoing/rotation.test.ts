import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { batchOf, gap, never, Plant } from '../delivery/scripted.ts';
import { Authority, type Certified } from '../support/certificates.ts';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { partOf, stepRow } from '../support/rows.ts';
import { KINDS, Secret, sinkOf, Store, told } from './parts.ts';

/** All that there is at one time: who signs, what the server shows, what steptap shows, and the password. */
interface Season {
  readonly authority: Authority;
  readonly server: Certified;
  readonly files: Readonly<Record<string, string>>;
  readonly password: string;
}

function season(n: number): Season {
  const authority = new Authority(`authority-${n}`);
  const client = authority.sign({ name: `steptap-${n}` });
  const password = `password-${n}`;
  return {
    authority,
    server: authority.sign({ name: 'server', of: ['127.0.0.1'] }),
    files: { 'ca.crt': authority.cert, 'tls.crt': client.cert, 'tls.key': client.key, password },
    password,
  };
}

const tlsOf = (secret: Secret): { ca_file: string; cert_file: string; key_file: string } => ({
  ca_file: secret.path('ca.crt'),
  cert_file: secret.path('tls.crt'),
  key_file: secret.path('tls.key'),
});

describe.each(KINDS)('%s', (kind) => {
  test('a certificate that is replaced is shown by new connections, and those with the old one are let go', async () => {
    const clock = new FakeClock();
    const { authority, server, files } = season(1);
    const second = authority.sign({ name: 'second' });
    const secret = new Secret(files);
    const store = await new Store().start(server, authority);
    const sink = sinkOf(kind, { urls: [`https://127.0.0.1:${store.port}`], tls: tlsOf(secret) }, { clock });
    const send = async (): Promise<unknown> => {
      await sink.send(partOf([stepRow()]), never);
      const { client, connection } = store.asked.at(-1)!;
      return [client, connection];
    };
    await sink.open(never);
    expect(await send()).toEqual(['steptap-1', 1]);
    secret.replace({ ...files, 'tls.crt': second.cert });
    await clock.advance(2_000);
    expect(await send()).toEqual(['steptap-1', 1]);
    expect(told.filter((line) => line.includes('tls.'))).toEqual([
      expect.stringContaining('is not the key of tls.cert_file: '),
    ]);
    secret.replace({ ...files, 'tls.crt': second.cert, 'tls.key': second.key });
    await clock.advance(2_000);
    expect(await send()).toEqual(['second', 2]);
    while (store.open > 1) await settled();
    secret.replace({ ...files, 'tls.crt': second.cert, 'tls.key': second.key });
    await clock.advance(2_000);
    expect(await send()).toEqual(['second', 2]);
  });
});

describe('clickhouse', () => {
  let engine: ClickHouseServer;
  beforeAll(async () => {
    engine = await startClickHouse();
  });
  afterAll(async () => engine?.stop());

  test('while rows flow everything is replaced, on either side first, and each row is stored once', async () => {
    const first = season(0);
    const secret = new Secret(first.files);
    const store = await new Store().start(first.server, first.authority);
    let password = '';
    const lets = (basic: string | undefined): boolean =>
      basic === `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;
    store.lets = ({ headers }) => lets(headers.authorization);
    store.serves = (incoming, response) => {
      const { method, url: path, headers } = incoming;
      const { authorization: _, ...rest } = headers;
      const passed = request({ port: engine.port, host: '127.0.0.1', method, path, headers: rest }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => response.destroy());
      incoming.pipe(passed);
    };
    const turn = ({ server, authority, password: now }: Season): void => {
      store.become(server, authority);
      store.hangUp();
      password = now;
    };
    turn(first);
    // Files are looked at every 20 ms.
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 100 };
    const sink = sinkOf(
      'clickhouse',
      {
        urls: [`https://127.0.0.1:${store.port}`],
        user: 'me',
        password_file: secret.path('password'),
        tls: tlsOf(secret),
      },
      { clock },
    );
    const plant = new Plant(systemClock);
    const rig = plant.lane(sink, { hold_ms: 25 });
    const running = rig.lane.run(never);
    let rows = 0;
    const flow = async (batches: number): Promise<void> => {
      for (let n = 0; n < batches; n++) {
        await plant.spool.append(batchOf(Array.from({ length: 50 }, () => `step-${rows++}`)));
        await settled();
      }
    };
    const until = async (what: () => boolean): Promise<void> => {
      while (!what()) await settled();
    };
    const drained = (): boolean => rig.lane.pending() === 0;
    for (let n = 1; n <= 6; n++) {
      const next = season(n);
      await flow(5);
      const [here, there] = [(): void => secret.replace(next.files), (): void => turn(next)];
      if (n % 2 === 0) here();
      else there();
      await flow(5);
      // The other side follows when the lane has noticed.
      if (n % 2 === 1) await until(() => rig.lane.state.state !== 'running');
      if (n % 2 === 0) there();
      else here();
      await flow(5);
      await until(drained);
      expect(store.asked.at(-1)).toMatchObject({ client: `steptap-${n}` });
    }
    plant.spool.end();
    await running;
    const counts = await engine.query(
      'SELECT toUInt32(count()), toUInt32(uniqExact(step)), toUInt32(uniqExact(_src, _seq, _i)) FROM default.steps FORMAT TSV',
    );
    expect(counts).toBe(`${rows}\t${rows}\t${rows}\n`);
    expect(rig.totals()).toMatchObject({ accepted: rows, stored: rows, dead_lettered: 0 });
    expect(gap(rig)).toBe(0);
    expect(rig.states.some(({ state }) => state === 'holding')).toBe(true);
    expect(JSON.stringify([rig.states, told])).not.toContain('password-');
  });
});

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { Home } from '../cli/parts.ts';
import { Cli } from '../support/run-cli.ts';
import type { Container } from './objects.ts';
import { CHART, helmText, objectsIn, withPrograms } from './render.ts';

const home = new Home();

/** A steptap that serves metrics somewhere, and the port of it. */
async function started(clickhouse: string): Promise<{ cli: Cli; port: string }> {
  const cli = home.start(['--clickhouse', clickhouse, '--metrics', '127.0.0.1:0']);
  const { metrics } = await cli.said(/^reading/);
  return { cli, port: new URL(String(metrics)).port };
}

await withPrograms(['helm'], () => {
  let command: readonly string[] = [];
  beforeAll(async () => {
    const pods = objectsIn(await helmText({})).filter(
      ({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test',
    );
    command = (pods[0]!.spec!['containers'] as Container[])[0]!.command!;
  });

  /** As the pod does, with this Node and for these pods. */
  function ask(name: string, port: string): Promise<{ code: number; said: string }> {
    const [, ...args] = command;
    return new Promise((resolve) => {
      execFile(process.execPath, [...args.slice(0, -2), name, port], (error, said) => {
        resolve({ code: Number(error?.code ?? 0), said });
      });
    });
  }

  test('helm test asks the pods behind the Service of the metrics', () => {
    expect(command[0]).toBe('/usr/local/bin/node');
    expect(command.slice(-2)).toEqual(['steptap', '9464']);
    expect(command).toContain(readFileSync(`${CHART}/files/ready.mjs`, 'utf8'));
  });

  test('it passes where every sink takes rows', async () => {
    const { server } = await home.clickhouse();
    const { cli, port } = await started(server.url);
    await cli.said(/clickhouse is ready/);
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    expect(await ask('127.0.0.1', port)).toMatchObject({
      code: 0,
      said: expect.stringMatching(/^127\.0\.0\.1: 200 .*"ready":true/) as string,
    });
  });

  test('it fails where a sink cannot be reached, and says which', async () => {
    const { cli, port } = await started('http://127.0.0.1:1');
    const { code, said } = await ask('127.0.0.1', port);
    expect([code, said]).toEqual([1, expect.stringMatching(/^127\.0\.0\.1: 503 .*"clickhouse"/)]);
    cli.kill('SIGKILL');
    await cli.ended;
    expect(await ask('127.0.0.1', port)).toMatchObject({
      code: 1,
      said: expect.stringContaining('ECONNREFUSED') as string,
    });
  });
});

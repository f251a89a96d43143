import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { Home, line } from '../cli/parts.ts';
import { CHART, withPrograms } from './render.ts';

const home = new Home();

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const alerts = parse(await readFile(`${CHART}/files/alerts.yaml`, 'utf8')) as Rule[];
const dashboard = JSON.parse(await readFile(`${CHART}/dashboards/steptap.json`, 'utf8')) as Dashboard;
/** As Grafana would fill them in. */
const panels = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => [title, expr.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', '5m')] as const),
);

await withPrograms(['promtool'], () => {
  test('Prometheus understands every alert and every panel', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'steptap-alerts-'));
    try {
      const recorded = panels.map(([, expr], number) => ({ record: `panel:${number}`, expr }));
      const groups = [
        { name: 'alerts', rules: alerts },
        { name: 'panels', rules: recorded },
      ];
      const path = join(directory, 'rules.json');
      await writeFile(path, JSON.stringify({ groups }));
      const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', path]);
      expect(stdout).toContain(`SUCCESS: ${alerts.length + panels.length} rules found`);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

test('every metric of an alert or a panel is one that steptap serves', async () => {
  const { server } = await home.clickhouse();
  const cli = home.start(['--clickhouse', server.url, '--metrics', '127.0.0.1:0']);
  await cli.write(line('only'));
  const { metrics } = await cli.said(/^reading/);
  const served = await (await fetch(String(metrics))).text();
  const known = new Set(
    [...served.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`] : [name!],
    ),
  );
  const asked = [...alerts.map(({ expr }) => expr), ...panels.map(([, expr]) => expr)];
  const names = new Set(asked.flatMap((expr) => expr.match(/steptap_\w+/g) ?? []));
  expect([...names].filter((name) => !known.has(name))).toEqual([]);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { decoding, settingsOf } from '../../src/cli/settings.ts';
import { decode, type Fields } from '../support/decode.ts';

const directory = mkdtempSync(join(tmpdir(), 'steptap-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ENVIRONMENT = { POD_NAME: 'a7hzqtz5cm6k2dnm7k2w-n0-0', POD_NAMESPACE: 'ml-eu-west', NODE_NAME: 'node-1' };

/** What a line becomes under a pipeline that says so under `enrichment.kubernetes`. */
function log(options: readonly string[], line: string): Fields {
  const file = join(directory, 'pipeline.yaml');
  writeFileSync(file, `enrichment:\n  kubernetes:\n${options.map((each) => `    ${each}\n`).join('')}`);
  return decode(`${line}\n`, decoding(settingsOf({ config: [file] }), ENVIRONMENT)).logs[0]!;
}

test('A pipeline says which labels are stored, what the domains are, and that lines are of its own pod', () => {
  const labels = { 'execution-id': 'a7hzqtz5cm6k2dnm7k2w', team: 'ml', other: 'x' };
  const record = JSON.stringify({ date: 1771497044, log: 'x', kubernetes: { pod_name: 'p', labels } });
  expect(log(['labels: [team]'], record)).toMatchObject({
    labels: { team: 'ml' },
    execution_id: labels['execution-id'],
  });
  const own = ['downward_api: true', 'namespace_domains: [eu-west]'];
  expect(log(own, 'hello')).toMatchObject({
    namespace: 'ml-eu-west',
    node: 'node-1',
    project: 'ml',
    domain: 'eu-west',
  });
});

test('Unless it is told, it says nothing of its own pod', () => {
  expect(log(['api: off'], 'hello')).not.toHaveProperty('pod');
});

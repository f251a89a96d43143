import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refuseOpen } from '../../src/cli/listeners.ts';
import { metricsSettings, settingsOf, type Settings } from '../../src/cli/settings.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'steptap-listeners-'));
});
afterAll(async () => rm(directory, { recursive: true }));

async function settings(sink: string): Promise<Settings> {
  const file = join(directory, 'pipeline.yaml');
  await writeFile(file, `sinks: { metrics: { type: prometheus, ${sink} } }\n`);
  return settingsOf({ config: [file] }, {});
}

describe('/events', () => {
  test.each([
    ['steps: []', false],
    ["listen: 'localhost:1'", false],
    ["listen: 'localhost:1', events: true", true],
    ["listen: 'localhost:1', token_file: t", true],
    ["listen: 'unix:/run/metrics.sock'", true],
    ["listen: 'localhost:1', token_file: t, events: false", false],
    ["listen: ':1', insecure: true", false],
    ["listen: 'metrics:1', tls: { cert_file: c, key_file: k }, token_file: t", false],
    ["listen: 'metrics:1', tls: { cert_file: c, key_file: k }, token_file: t, events: true", true],
    ["listen: ':1', insecure: true, token: secret, events: true", true],
  ])('with { %s } is served: %s', async (sink, served) => {
    const said = await settings(sink);
    expect(() => refuseOpen(said)).not.toThrow();
    expect(metricsSettings(said)?.place.events).toBe(served);
  });

  test('is never open to other machines, not even where metrics are', async () => {
    const said = await settings("listen: ':1', insecure: true, events: true");
    expect(() => refuseOpen(said)).toThrow(
      /:1:.*events.*: :1 can be reached by other machines, and events show what log lines say: add token_file/,
    );
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home, line } from './parts.ts';

const home = new Home();
/** Rows go to NDJSON files. */
const NODE_OPTIONS = `--import=${new URL('./without-chdb.mjs', import.meta.url).href}`;
const KEY = 'canary-71f3-canary-71f3';

const step = `${line('score').slice(0, -2)}, "email": "ada@example.org", "birthday": "1815-12-10", "rows": 5, "seat": 7}\n`;
const broken = step.replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
const text = 'mailed email=ada@example.org, token=hush-hush\n';
const OPTIONS = ['--attributes', 'email,rows', '--drop', 'birthday', '--mask', 'token', '--hash', 'email'];

test('rules for personal data hold for rows and for dead letters, and the secret of --hash is nowhere', async () => {
  await writeFile(join(home.path, 'key'), `${KEY}\n`);
  const env = { NODE_OPTIONS, STEPTAP_HASH_KEY_FILE: 'key' };
  const args = [...OPTIONS, '--metrics', 'none'];
  const { code, stdout, stderr } = await home.start(args, { input: step + text + broken, env }).ended;
  expect(code).toBe(0);
  const rows = await home.rows('steptap-data', 'ndjson');
  const letters = await home.rows('steptap-data', 'dead-letters');
  const email = (rows.find(({ kind }) => kind === 'step')!['attributes'] as { email: string }).email;
  expect(email).toMatch(/^hmac:[0-9a-f]{32}$/);
  expect(rows).toMatchObject([
    { kind: 'log', message: `mailed email=${email}, token=***` },
    { kind: 'step', attributes: { email, rows: '5' } },
  ]);
  const raw = broken
    .trimEnd()
    .replace('ada@example.org', email)
    .replace('1815-12-10', '***')
    .replace('"seat": 7', '"seat": "***"');
  expect(letters).toMatchObject([{ reason: 'schema', raw }]);
  expect(JSON.stringify([rows, letters, stdout, stderr])).not.toMatch(/canary|ada@|1815-12-10|hush/);
});

test('with --dead-letters-keep-raw a dead letter has the very bytes of its line', async () => {
  const env = { NODE_OPTIONS, STEPTAP_HASH_KEY: KEY };
  const args = [...OPTIONS, '--dead-letters-keep-raw', '--metrics', 'none'];
  const { code } = await home.start(args, { input: step + broken, env }).ended;
  expect(code).toBe(0);
  expect(await home.rows('steptap-data', 'dead-letters')).toMatchObject([{ raw: broken.trimEnd() }]);
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Signature } from '../../src/posts/signature.ts';
import { formObject } from '../../src/posts/form.ts';
import { Secret } from '../../src/listening/secret.ts';
import { Home } from '../cli/parts.ts';
import { listening, post } from './http-parts.ts';

interface Delivery {
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const deliveries = readFileSync('test/fixtures/orchest-webhook-samples.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Delivery);
const home = new Home();

function holds(header: string, body: string, ...secrets: readonly string[]): boolean {
  const file = join(home.path, 'secrets');
  writeFileSync(file, secrets.join('\n'));
  const signature = new Signature(
    header,
    Secret.of({ file }, 'signature_secret', () => {})!,
  );
  for (const byte of Buffer.from(body)) signature.update(Buffer.of(byte));
  return signature.holds();
}

test('Trap 21: a signature is bare hex over the bytes as they are sent, of JSON and of a form', () => {
  for (const { secret, headers, body } of deliveries) {
    const header = headers['X-Hub-Signature']!;
    expect(holds(header, body, secret)).toBe(true);
    expect(holds(`sha256=${header}`, body, 'another', secret)).toBe(true);
    expect(holds(header, body, 'another')).toBe(false);
    expect(holds(header, `${body} `, secret)).toBe(false);
    expect(holds(header.slice(2), body, secret)).toBe(false);
  }
});

test('only a delivery is taken for a form', () => {
  expect(formObject(Buffer.from('level=info msg=%7B'))).toBeUndefined();
  expect(formObject(Buffer.from('{"event": 1}'))).toBeUndefined();
  expect(String(formObject(Buffer.from('event=%7B%22a%22%3A+1%7D&x=y')))).toBe('{"event": {"a": 1}, "x": "y"}');
});

test('Orchest delivers to a source that knows its secret, each delivery once, and nobody else does', async () => {
  writeFileSync(join(home.path, 'secret'), `old one\n${deliveries[0]!.secret}\n`, { mode: 0o600 });
  writeFileSync(
    join(home.path, 'p.yaml'),
    `sources: { in: { type: http, listen: '127.0.0.1:0', signature_secret_file: secret, token: other-door } }
sinks: { files: { directory: rows }, prometheus: { listen: none } }
`,
  );
  const cli = home.start(['-c', 'p.yaml']);
  const url = await listening(cli);
  for (const _ of ['sent', 'sent again']) {
    for (const { headers, body } of deliveries) {
      const { 'Content-Length': __, ...sent } = headers;
      expect((await post(url, body, { headers: sent })).status).toBe(200);
    }
  }
  const [first] = deliveries;
  expect((await post(url, first!.body)).status).toBe(401);
  expect((await post(url, first!.body, { headers: { 'X-Hub-Signature': '0'.repeat(64) } })).status).toBe(401);
  const huge = await post(url, 'x'.repeat(17 << 20), { headers: { 'X-Hub-Signature': '0'.repeat(64) } });
  expect(huge.status).toBe(413);
  const token = { authorization: 'Bearer other-door' };
  expect((await post(url, '{"message": "by the other door"}', { headers: token })).status).toBe(200);
  cli.kill('SIGTERM');
  const { code, stderr } = await cli.ended;
  expect([code, stderr]).toEqual([0, stderr]);
  // What is told of its runs is derived.
  const rows = (await home.rows('rows')).filter(({ kind }) => kind !== 'task');
  const of = (dialect: string): unknown[] => rows.filter((row) => row['dialect'] === dialect);
  // 16 deliveries of 15 events: one is told as JSON and as a form, to two webhooks.
  expect(of('orchest')).toHaveLength(15);
  expect(of('log')).toMatchObject([{ message: 'by the other door' }]);
  // What nobody has signed leaves nothing behind.
  expect(await home.rows('steptap-data', 'dead-letters').catch(() => [])).toEqual([]);
});

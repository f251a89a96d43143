import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPipeline } from '../../src/config/load.ts';
import type { OutgoingOptions } from '../../src/outgoing/index.ts';
import { Home, line } from '../cli/parts.ts';
import { Authority } from '../support/certificates.ts';
import { partOf, stepRow } from '../support/rows.ts';
import { failure, files, KINDS, never, Proxy, sinkOf, Store, told } from './parts.ts';

/** Never to be seen in any message, in no form. */
const SECRET = 'canary-9d4e';
const FORMS = [SECRET, Buffer.from(`me:${SECRET}`).toString('base64'), encodeURIComponent(`@${SECRET}`)];

const home = new Home();
const authority = new Authority('ours');
const server = authority.sign({ name: 'server', of: ['127.0.0.1', 'store.test'] });
const path = files({
  secret: `${SECRET}\n`,
  two: `${SECRET}\n${SECRET}\n`,
  'ca.crt': authority.cert,
  'tls.crt': server.cert,
  'tls.key': authority.sign({ name: SECRET }).key,
});

function hidden(text: string): void {
  for (const form of FORMS) expect(text).not.toContain(form);
}

/** Every way to log in with the secret. */
const LOGINS: readonly Partial<OutgoingOptions>[] = [
  { user: 'me', password: SECRET },
  { user: 'me', password_file: path('secret') },
  { bearer_token: SECRET },
  { bearer_token_file: path('secret') },
  { bearer_token_file: path('two') },
  {},
];

describe.each(KINDS)('%s', (kind) => {
  test('no error on the way to a store, or from it, says what logs in or what stands in the address', async () => {
    const secure = await new Store().start(server);
    const [refusing, broken, plain] = [await new Store().start(), await new Store().start(), await new Store().start()];
    refusing.lets = () => false;
    broken.serves = (incoming) => incoming.socket.destroy();
    plain.serves = (incoming, response) => response.writeHead(500).end(incoming.headers.authorization);
    const proxy = await new Proxy().start();
    const host = (at: string): string => `${at.replace('//', `//me:${SECRET}@`)}/?password=${SECRET}#${SECRET}`;
    const addresses = [
      ...[refusing, broken, plain].map(({ port }) => `http://127.0.0.1:${port}`),
      `https://127.0.0.1:${refusing.port}`,
      `https://127.0.0.1:${secure.port}`,
      'http://127.0.0.1:1',
      `https://store.test:${secure.port}`,
      'http://store.test',
    ];
    const said: string[] = [];
    for (const address of addresses) {
      for (const login of LOGINS) {
        const none = Object.keys(login).length === 0;
        for (const status of address.includes('store.test') ? [407, 403, 502, 200] : [200]) {
          proxy.status = status;
          const named = `http://me:${SECRET}@127.0.0.1:${proxy.port}`;
          const environment = { HTTPS_PROXY: named, HTTP_PROXY: named };
          const sink = sinkOf(kind, { urls: [none ? host(address) : address], ...login }, { environment });
          const error = await failure(sink.open(never));
          said.push(error.message, JSON.stringify(error), String(error.stack), sink.describe());
          await sink.send(partOf([stepRow()]), never).catch((reason: unknown) => said.push(String(reason)));
          said.push(JSON.stringify(await sink.check!(new AbortController().signal)));
        }
      }
    }
    hidden([...said, ...told].join('\n'));
    expect(said.length).toBeGreaterThan(200);
  });
});

const ES = { urls: '[http://a]' };

/** Options as they would be wrong; with each the secret is in what is wrong. */
const WRONG: readonly Readonly<Record<string, string>>[] = [
  { urls: `["htp://me:${SECRET}@a"]` },
  { urls: `["htp://me:p@${SECRET}@a"]` },
  { urls: `["htp://me:p/${SECRET}@a"]` },
  { urls: `["me:${SECRET}@a:9200"]` },
  { urls: `["es:9200?api_key=${SECRET}", "htp://a/?key=${SECRET}"]` },
  { urls: `["http://me:${SECRET}@ho st"]` },
  { urls: `["http://me:${SECRET}@a"]`, bearer_token_file: '/a' },
  { ...ES, user: 'me', password: `!${SECRET}` },
  { ...ES, user: 'me', password: `*${SECRET}` },
  { ...ES, user: 'me', password: `|${SECRET}` },
  { ...ES, user: 'me', password: `]${SECRET}` },
  { ...ES, user: 'me', password: `[${SECRET}]` },
  { ...ES, user: 'me', password: `{ a: ${SECRET} }` },
  { ...ES, password: SECRET, api_key: SECRET },
  { ...ES, user: 'me', password: SECRET, password_file: '/a' },
  { ...ES, bearer_token: `"${SECRET} ${SECRET}"` },
  { ...ES, api_key: `"${SECRET}\\n"` },
  { ...ES, tls: `{ key_passphrase: [${SECRET}] }` },
  { ...ES, tls: `{ key_passphrase: ${SECRET} }` },
];

test('a pipeline that is wrong is refused, and no secret in it is repeated', () => {
  const file = join(home.path, 'p.yaml');
  for (const options of WRONG) {
    const own = Object.entries(options).map(([name, value]) => `    ${name}: ${value}\n`);
    const yaml = `sinks:\n  elasticsearch:\n${own.join('')}`;
    writeFileSync(file, yaml);
    let said = '';
    try {
      const { type: _, ...given } = loadPipeline([file], {}).config.sinks!['elasticsearch']!;
      sinkOf('elasticsearch', given as OutgoingOptions);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said, yaml).not.toBe('');
    hidden(said);
  }
});

describe('the command', () => {
  const env = { HTTPS_PROXY: `http://me:${SECRET}@127.0.0.1:1` };
  const pipeline = (): string => {
    const file = join(home.path, 'p.yaml');
    writeFileSync(
      file,
      `sinks:
  clickhouse:
    urls: ["https://store.test:1"]
    user: me
    password_file: ${path('secret')}
    tls: { ca_file: ${path('ca.crt')}, cert_file: ${path('tls.crt')}, key_file: ${path('tls.key')} }
`,
    );
    return file;
  };

  test('check says what is wrong with files and proxy, and ends with 1', async () => {
    const { code, stdout, stderr } = await home.start(['check', '--json', '-c', pipeline()], { env, input: '' }).ended;
    expect(code).toBe(1);
    expect(stdout).toContain('"what":"tls.key_file"');
    expect(stdout).toContain('is not the key of');
    hidden(stdout + stderr);
  });

  test('a run goes on without its store, says why, and says no secret', async () => {
    const cli = home.start(['run', '-c', pipeline(), '--metrics', 'none', '--grace', '1'], { env });
    await cli.write(line('a step'));
    const { message } = await cli.said(/is not the key of/);
    expect(message).toContain('tls.key_file');
    cli.end();
    const { stdout, stderr } = await cli.ended;
    hidden(stdout + stderr);
  });

  test('options that do not go together, and a proxy that is none, end it with 2', async () => {
    const file = join(home.path, 'p.yaml');
    writeFileSync(
      file,
      `sinks: { elasticsearch: { urls: [http://a], user: me, password: ${SECRET}, api_key_file: /a } }\n`,
    );
    const twice = await home.start(['run', '-c', file], { input: '' }).ended;
    expect(twice.code).toBe(2);
    expect(twice.stderr).toMatch(/p\.yaml:1:\d+: sinks\.elasticsearch: `password` and `api_key_file` are both given/);
    const proxy = { HTTP_PROXY: `socks5://me:${SECRET}@127.0.0.1` };
    const args = ['run', '--elasticsearch', `http://me:${SECRET}@store.test`];
    const none = await home.start(args, { input: '', env: proxy }).ended;
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('HTTP_PROXY is no address of an HTTP proxy: write http://proxy:3128');
    hidden(twice.stderr + none.stderr);
  });
});

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { accessOf } from '../../src/kubernetes/credentials.ts';
import type { KubernetesOptions } from '../../src/kubernetes/schema.ts';
import { KubeApi } from '../support/kube-api.ts';
import { certificates } from './certificates.ts';
import { Cluster, pod, until } from './parts.ts';

const { ca, server, client } = certificates();
const other = certificates();

/** What a pod has in a cluster. */
function account(cluster: Cluster, token: string, authority = ca): { directory: string; env: Record<string, string> } {
  const directory = join(cluster.directory, 'serviceaccount');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'token'), `${token}\n`);
  writeFileSync(join(directory, 'ca.crt'), authority);
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.api.port) };
  return { directory, env: { ...env, NODE_NAME: 'worker-3' } };
}

async function secure(options: object = {}): Promise<Cluster> {
  const cluster = await Cluster.start(new KubeApi({ tls: { ...server, ...options } }));
  cluster.api.put(pod('a'));
  return cluster;
}

test('in a cluster the service account opens the API, over TLS', async () => {
  const cluster = await secure();
  cluster.api.tokens = new Set(['first']);
  const { directory, env } = account(cluster, 'first');
  const pods = await cluster.synced({}, { directory, env });
  expect(pods.get('uid-a')?.name).toBe('a');
  expect(cluster.api.calls.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer first']);
});

test('a token that is renewed is read every minute, and at once when the old one is not taken', async () => {
  const cluster = await secure();
  cluster.api.tokens = new Set(['first', 'second']);
  const { directory, env } = account(cluster, 'first');
  await cluster.synced({}, { directory, env });
  const used = (): (string | undefined)[] => cluster.api.calls.map(({ authorization }) => authorization?.slice(7));
  account(cluster, 'second');
  cluster.api.bookmark();
  cluster.api.end('well');
  await until(() => used().length === 3);
  await cluster.clock.advance(60_000);
  cluster.api.bookmark();
  cluster.api.end('well');
  await until(() => used().length === 4);
  account(cluster, 'third');
  cluster.api.tokens = new Set(['third']);
  cluster.api.bookmark();
  cluster.api.end('well');
  await until(() => cluster.api.watches.size === 1 && used().length === 6);
  expect(used()).toEqual(['first', 'first', 'first', 'second', 'second', 'third']);
  expect(cluster.said).toEqual([]);
});

test('a token file that is empty for a moment does not make us nobody', async () => {
  const cluster = await secure();
  cluster.api.tokens = new Set(['first']);
  const { directory, env } = account(cluster, 'first');
  await cluster.synced({}, { directory, env });
  account(cluster, '');
  await cluster.clock.advance(60_000);
  cluster.api.bookmark();
  cluster.api.end('well');
  await until(() => cluster.api.calls.length === 3);
  expect(cluster.api.calls.map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer first'));
});

test('a token that nobody takes is a failure that is told, and never told in words', async () => {
  const cluster = await secure();
  cluster.api.tokens = new Set();
  const { directory, env } = account(cluster, 'canary-51cc');
  const pods = cluster.open({}, { directory, env });
  for (const ms of [500, 1_000]) await cluster.pass(ms);
  await until(() => cluster.said.length === 1);
  expect(pods.state.reason).toMatch(/answered 401: Unauthorized$/);
  expect(JSON.stringify([cluster.said, pods.state])).not.toContain('canary');
});

test('an authority that is replaced is taken for the next connection, and a missing file is no end', async () => {
  const cluster = await secure();
  const { directory, env } = account(cluster, 't', other.ca);
  const pods = cluster.open({}, { directory, env });
  await until(() => pods.state.reason !== undefined);
  expect(pods.state.reason).toMatch(
    /has no certificate that can be trusted \([A-Z_]+\): check its certificate authority$/,
  );
  account(cluster, 't');
  await cluster.clock.advance(60_000);
  await cluster.pass(1_000);
  await until(() => pods.state.state === 'synced');
  rmSync(join(directory, 'ca.crt'));
  await cluster.clock.advance(60_000);
  cluster.api.bookmark();
  cluster.api.end('well');
  await until(() => cluster.api.watches.size === 1);
  expect(pods.state.state).toBe('synced');
});

test('a client certificate in a kubeconfig opens the API, as data and as files beside it', async () => {
  const cluster = await secure({ ca, requestCert: true, rejectUnauthorized: true });
  for (const [name, content] of Object.entries({ 'ca.crt': ca, 'me.crt': client.cert, 'me.key': client.key })) {
    writeFileSync(join(cluster.directory, name), content);
  }
  const data = (content: Buffer): string => content.toString('base64');
  const given = [
    [
      { 'client-certificate-data': data(client.cert), 'client-key-data': data(client.key) },
      { 'certificate-authority-data': data(ca) },
    ],
    [{ 'client-certificate': 'me.crt', 'client-key': 'me.key' }, { 'certificate-authority': 'ca.crt' }],
    [
      { 'client-certificate': 'me.crt', 'client-key': 'me.key' },
      { 'insecure-skip-tls-verify': true, 'tls-server-name': 'another' },
    ],
    [
      { 'client-certificate': 'me.crt', 'client-key': 'me.key' },
      {
        'certificate-authority': 'ca.crt',
        'tls-server-name': 'kube',
        server: cluster.api.url.replace('127.0.0.1', 'localhost'),
      },
    ],
  ] as const;
  for (const [user, at] of given) {
    const pods = await cluster.synced({ kubeconfig: cluster.kubeconfig(user, at) });
    expect(pods.get('uid-a')?.name).toBe('a');
    await pods.close();
    await until(() => cluster.api.watches.size === 0);
  }
  const wrong = cluster.open({ kubeconfig: cluster.kubeconfig({}, { 'certificate-authority': 'ca.crt' }) });
  await until(() => wrong.state.reason !== undefined);
  expect(wrong.state.state).toBe('starting');
});

test.each([
  ['a key that is none', { 'client-certificate-data': 'AAAA', 'client-key-data': 'AAAA' }, 'ERR_OSSL'],
  ['a token with a line break in it', { token: 'canary\nX: y' }, 'ERR_INVALID_CHAR'],
  ['a token in a file that is missing', { tokenFile: 'nowhere' }, 'nowhere cannot be read (ENOENT)'],
])('%s is a failure, and steptap goes on', async (_what, user, message) => {
  const cluster = await secure();
  const pods = cluster.open({ kubeconfig: cluster.kubeconfig(user, { 'insecure-skip-tls-verify': true }) });
  await until(() => pods.state.reason !== undefined);
  expect(pods.state.reason).toContain(message);
  expect(pods.state.reason).not.toContain('canary');
});

const KUBECONFIG = `
current-context: here
contexts:
  - { name: here, context: { cluster: c, user: u } }
  - { name: exec, context: { cluster: c, user: exec } }
  - { name: plugin, context: { cluster: c, user: plugin } }
  - { name: basic, context: { cluster: c, user: basic } }
  - { name: other, context: { cluster: c, user: other } }
  - { name: proxy, context: { cluster: proxy, user: u } }
  - { name: clear, context: { cluster: clear, user: u } }
  - { name: sly, context: { cluster: sly, user: u } }
  - { name: odd, context: { cluster: odd, user: u } }
  - { name: nobody, context: { cluster: c, user: nobody } }
clusters:
  - { name: c, cluster: { server: "https://10.0.0.1:6443/prefix" } }
  - { name: proxy, cluster: { server: "https://10.0.0.1", proxy-url: "http://canary@p:1" } }
  - { name: clear, cluster: { server: "http://10.0.0.1" } }
  - { name: sly, cluster: { server: "http://127.example.com" } }
  - { name: odd, cluster: { server: "10.0.0.1:6443" } }
users:
  - { name: u, user: { token: canary } }
  - { name: exec, user: { exec: { command: aws, env: [canary] } } }
  - { name: plugin, user: { auth-provider: { name: oidc } } }
  - { name: basic, user: { username: ada, password: canary } }
  - { name: other, user: { token: canary, as: root } }
`;

test.each<[string, KubernetesOptions, string]>([
  ['no such file', { kubeconfig: 'missing' }, 'kubeconfig missing cannot be read (ENOENT)'],
  ['no YAML', { kubeconfig: 'broken' }, 'kubeconfig broken:3: is no YAML (BAD_INDENT)'],
  ['no context', { kubeconfig: 'empty' }, 'kubeconfig empty has no current-context: name one with context'],
  [
    'no such context',
    { kubeconfig: 'good', context: 'x' },
    'kubeconfig good: contexts has no "x"; there are here, exec,',
  ],
  [
    'no such user',
    { kubeconfig: 'good', context: 'nobody' },
    'kubeconfig good: users has no "nobody"; there are u, exec,',
  ],
  ['a program', { kubeconfig: 'good', context: 'exec' }, 'use a token (kubectl create token)'],
  ['a plugin', { kubeconfig: 'good', context: 'plugin' }, 'use a token (kubectl create token)'],
  ['a password', { kubeconfig: 'good', context: 'basic' }, 'which Kubernetes does not take any more: use a token'],
  ['somebody else', { kubeconfig: 'good', context: 'other' }, 'acts as somebody else'],
  ['a proxy', { kubeconfig: 'good', context: 'proxy' }, 'leave proxy-url out'],
  ['a token in the clear', { kubeconfig: 'good', context: 'clear' }, 'a token would go to 10.0.0.1 unencrypted'],
  ['a name like an address', { kubeconfig: 'good', context: 'sly' }, 'a token would go to 127.example.com unencrypted'],
  ['no address', { kubeconfig: 'good', context: 'odd' }, 'the server of cluster odd is no http or https address'],
  [
    'nothing at all',
    { api: 'on' },
    'steptap does not run in a cluster (no KUBERNETES_SERVICE_HOST), and there is no kubeconfig',
  ],
  ['a context of nothing', { context: 'here' }, 'there is no kubeconfig: name one with kubeconfig'],
])('%s in the configuration is told before anything is asked', async (_what, options, message) => {
  const { directory } = await Cluster.start();
  const files = { good: KUBECONFIG, empty: '', broken: 'users:\n  - token: canary\n canary: [\n' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const { kubeconfig } = options;
  const given = kubeconfig === undefined ? options : { ...options, kubeconfig: join(directory, kubeconfig) };
  let said: unknown;
  try {
    accessOf(given, { HOME: directory });
  } catch (error) {
    said = error;
  }
  expect(said).toBeInstanceOf(UsageError);
  expect((said as UsageError).message.replaceAll(`${directory}/`, '')).toContain(message);
  expect((said as UsageError).message).not.toContain('canary');
});

test('without a cluster and without being told, nothing is asked and nobody waits', async () => {
  const cluster = await Cluster.start();
  for (const [options, env, reason] of [
    [{}, {}, 'steptap does not run in a cluster (no KUBERNETES_SERVICE_HOST)'],
    [{}, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 'its pod has no service account token (/nowhere/token)'],
    [{ api: 'off' }, {}, 'it is switched off (api: off)'],
  ] as const) {
    const pods = cluster.open(options, { env, directory: '/nowhere' });
    expect(pods.state).toEqual({ state: 'off', reason, pods: 0 });
    expect(await pods.wait('uid', 5_000, new AbortController().signal)).toBe(undefined);
  }
  expect([cluster.api.calls, cluster.clock.slept]).toEqual([[], []]);
});

test('kubeconfigs are found where kubectl finds them, and of several the first that says something counts', async () => {
  const { directory } = await Cluster.start();
  const at = (name: string): string => join(directory, name);
  mkdirSync(at('.kube'));
  writeFileSync(at('.kube/config'), KUBECONFIG);
  writeFileSync(at('first'), 'current-context: mine\ncontexts: [{ name: mine, context: { cluster: c, user: own } }]\n');
  writeFileSync(at('second'), `${KUBECONFIG}  - { name: own, user: { tokenFile: t } }\n`);
  const found = (env: Record<string, string>): unknown => {
    const access = accessOf({ api: 'on' }, { HOME: directory, ...env });
    return typeof access === 'string'
      ? access
      : [access.from.replaceAll(`${directory}/`, ''), access.url.href, access.token];
  };
  const home = [
    'kubeconfig .kube/config, context here',
    'https://10.0.0.1:6443/prefix',
    { data: Buffer.from('canary') },
  ];
  expect(found({})).toEqual(home);
  expect(found({ KUBECONFIG: `${at('first')}:${at('missing')}:${at('second')}` })).toEqual([
    'kubeconfig first:second, context mine',
    'https://10.0.0.1:6443/prefix',
    { file: at('t') },
  ]);
  const inside = account(await Cluster.start(), 't');
  const access = accessOf({ api: 'on' }, { ...inside.env, KUBERNETES_SERVICE_HOST: 'fd00::1' }, inside.directory);
  expect(typeof access === 'string' ? access : access.url.href).toMatch(/^https:\/\/\[fd00::1\]:\d+\/$/);
});

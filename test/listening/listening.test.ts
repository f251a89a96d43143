import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isLocal, listen, readAddress, tryListening } from '../../src/listening/address.ts';
import { Certificate, readCertificate } from '../../src/listening/certificate.ts';
import { checkListener } from '../../src/listening/check.ts';
import { openProblem } from '../../src/listening/closed.ts';
import { closeNow, httpServer } from '../../src/listening/http.ts';
import type { ListenerOptions } from '../../src/listening/schema.ts';
import { Secret } from '../../src/listening/secret.ts';
import type { Log } from '../../src/log.ts';
import { makeCertificate } from './certificates.ts';

let home = '';
const servers: Server[] = [];
const told: string[] = [];
const log: Log = (_, message) => told.push(message);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'steptap-listening-'));
  told.length = 0;
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  writeFileSync(join(home, name), text);
  return join(home, name);
}

describe('an address', () => {
  test.each(['127.0.0.1:1', '127.8.9.1:1', 'localhost:1', '[::1]:1', '[::ffff:127.0.0.1]:1', 'unix:/run/x.sock'])(
    '%s is reached from this machine alone',
    (text) => expect(isLocal(readAddress(text)!)).toBe(true),
  );

  test.each([':1', '0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'node-1:1', '127.example.org:1', '[::ffff:10.0.0.1]:1'])(
    '%s may be reached from others',
    (text) => expect(isLocal(readAddress(text)!)).toBe(false),
  );

  test.each(['', '8088', 'localhost', '::1:1', '1.2.3.4:99999', 'unix:run/x'])('%j is none', (text) =>
    expect(readAddress(text)).toBe(undefined),
  );
});

describe('a socket in the file system', () => {
  test('is for its owner and its group, and is gone afterwards', async () => {
    const path = join(home, 'in.sock');
    const server = createServer();
    expect(await listen(server, `unix:${path}`)).toBe(`unix:${path}`);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('660');
    await new Promise((resolve) => server.close(resolve));
    expect(existsSync(path)).toBe(false);
  });

  test('that a killed process left is taken over; one that is answered, or is a file, is not', async () => {
    const path = join(home, 'in.sock');
    const server = createServer();
    servers.push(server);
    await listen(server, `unix:${path}`);
    await expect(tryListening(`unix:${path}`)).rejects.toThrow(`cannot listen on unix:${path}: it is in use`);
    // What a server leaves whose process is killed: the name of a socket that nobody listens on.
    renameSync(path, join(home, 'left.sock'));
    servers.pop();
    await new Promise((resolve) => server.close(resolve));
    await tryListening(`unix:${join(home, 'left.sock')}`);
    const plain = file('plain', 'mine');
    await expect(tryListening(`unix:${plain}`)).rejects.toThrow('something that is no socket is there');
    expect(readFileSync(plain, 'utf8')).toBe('mine');
    await expect(tryListening(`unix:${home}/none/x.sock`)).rejects.toThrow('its directory is not there');
    await expect(tryListening(`unix:/${'x'.repeat(120)}`)).rejects.toThrow('has at most 107 bytes');
  });
});

describe('closed by default', () => {
  const secrets = [['token', 'token_file'], ['signature_secret']];
  const tls = { cert_file: 'c', key_file: 'k' };
  const found = (options: ListenerOptions) => openProblem({ ...options, secrets })?.message;

  test.each([
    { listen: '127.0.0.1:1' },
    { listen: 'unix:/run/x' },
    { listen: ':1', tls, token_file: 't' },
    { listen: ':1', tls, token: 't' },
    { listen: ':1', tls: { ...tls, client_ca_file: 'a' } },
    { listen: ':1', insecure: true },
  ])('%j is closed enough, or meant to be open', (options) => expect(found(options)).toBe(undefined));

  test.each([
    [
      { listen: ':1' },
      /^:1 can be reached by other machines: add tls and token_file, listen on 127\.0\.0\.1, or say ins/,
    ],
    [{ listen: '10.0.0.1:1', tls }, /: add token_file, /],
    [{ listen: 'host:1', token: 'xyz' }, /^(?!.*xyz).*: add tls, /],
    [{ listen: ':1', insecure: true, token: 'xyz', token_file: 't' }, /^token and token_file say the same: keep one/],
  ])('%j is refused', (options, problem) => expect(found(options)).toMatch(problem));
});

describe('a secret', () => {
  test('lets in who has it, and nobody else', () => {
    const secret = Secret.of({ value: 'right' }, 'token', log)!;
    expect(secret.match('right')?.toString()).toBe('right');
    expect(['', 'righ', 'right ', 'wrong', 'rightt'].map((text) => secret.match(text))).toEqual(
      Array(5).fill(undefined),
    );
    expect(Secret.of({}, 'token', log)).toBe(undefined);
  });

  test('of a file is read again when it changes, and until it can be read the old one holds', () => {
    const path = file('token', 'old\n');
    const secret = Secret.of({ file: path }, 'token', log)!;
    expect([secret.match('old'), secret.match('new')].map(Boolean)).toEqual([true, false]);
    writeFileSync(path, 'old\n\nnew\n');
    expect([secret.match('old'), secret.match('new'), secret.match('')].map(Boolean)).toEqual([true, true, false]);
    writeFileSync(path, '');
    expect([secret.match('old'), secret.match('new'), secret.match('')].map(Boolean)).toEqual([true, true, false]);
    rmSync(path);
    expect([secret.match('old'), secret.match('new')].map(Boolean)).toEqual([true, true]);
    renameSync(file('next', 'new\n'), path);
    expect([secret.match('old'), secret.match('new')].map(Boolean)).toEqual([false, true]);
    expect(told).toEqual([
      `token_file ${path}: is empty; what it said before still holds`,
      `token_file ${path}: there is no such file; what it said before still holds`,
    ]);
  });

  test('that is not there is told by the name of its file', () => {
    const open = (path: string) => () => Secret.of({ file: path }, 'token', log);
    expect(open(join(home, 'none'))).toThrow(`token_file ${home}/none: there is no such file`);
    expect(open(file('empty', ' \n'))).toThrow(`token_file ${home}/empty: is empty`);
    expect(open(home)).toThrow(`token_file ${home}: cannot be read (EISDIR)`);
  });
});

/** The name in the certificate that a new client is shown. */
async function shown(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe('a certificate', () => {
  test('is read again when its files change; half of a change, or none that makes sense, changes nothing', async () => {
    const [first, second] = [makeCertificate(home, 'first'), makeCertificate(home, 'second')];
    const files = { cert_file: join(home, 'tls.crt'), key_file: join(home, 'tls.key') };
    const put = (from: string, to: string): void => {
      copyFileSync(from, `${to}.new`);
      renameSync(`${to}.new`, to);
    };
    put(first.cert_file, files.cert_file);
    put(first.key_file, files.key_file);
    const server = httpServer(new Certificate(files, log));
    try {
      const port = Number((await listen(server, '127.0.0.1:0')).split(':')[1]);
      expect(await shown(port)).toBe('first');
      put(second.cert_file, files.cert_file);
      expect(await shown(port)).toBe('first');
      put(second.key_file, files.key_file);
      expect(await shown(port)).toBe('second');
      writeFileSync(files.cert_file, 'none');
      expect(await shown(port)).toBe('second');
    } finally {
      await closeNow(server);
    }
    expect(told).toEqual([
      `tls.key_file ${files.key_file}: is not the key of the certificate in ${files.cert_file}; what the files said before still holds`,
      `tls.cert_file ${files.cert_file}: holds no certificate in PEM; what the files said before still holds`,
    ]);
  });

  test('that is no good says which file is wrong, and nothing of what is in it', () => {
    const [good, other] = [makeCertificate(home, 'good'), makeCertificate(home, 'other')];
    const wrong = (files: object): string => {
      const read = readCertificate({ ...good, ...files });
      return 'wrong' in read ? `${read.option} ${read.wrong}` : 'fine';
    };
    expect(wrong({})).toBe('fine');
    expect(wrong({ client_ca_file: other.cert_file })).toBe('fine');
    expect(wrong({ cert_file: join(home, 'none') })).toBe('cert_file there is no such file');
    expect(wrong({ key_file: other.key_file })).toMatch(/^key_file is not the key of the certificate in /);
    expect(wrong({ key_file: good.cert_file })).toBe('key_file holds no private key in PEM');
    expect(wrong({ client_ca_file: other.key_file })).toBe('client_ca_file holds no certificate in PEM');
  });
});

test('steptap check tells how a listener stands', async () => {
  const soon = makeCertificate(home, 'soon', 10);
  const token = file('token', 'a\nb\n');
  const items = async (options: object, now = Date.now()) => {
    const found = await checkListener({ listen: '127.0.0.1:0', ...options }, now, token);
    return found.map(({ what, state, found: text }) => `${what}: ${state}: ${text}`);
  };
  expect(await items({ tls: soon })).toEqual([
    'address: ok: is free; this machine only',
    expect.stringMatching(/^certificate: warning: is that of the key, and good until \d{4}-\d\d-\d\d$/),
    'secret: ok: has 2',
    'secret: warning: can be read by everybody on this machine',
  ]);
  expect((await items({ tls: soon }, Date.now() + 20 * 86_400_000))[1]).toMatch(/certificate: problem: has ended on/);
  const { cert_file } = makeCertificate(home, 'another');
  expect((await items({ listen: '0.0.0.0:0', tls: { ...soon, cert_file }, insecure: true })).slice(0, 2)).toEqual([
    'address: warning: is free; open to the network, and insecure is said',
    `certificate: problem: is not the key of the certificate in ${cert_file}`,
  ]);
});

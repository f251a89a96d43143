import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { line } from '../cli/parts.ts';
import { pause, send, type Attack, type Target } from './attack.ts';

/** Sends bodies from several clients at once. Whoever does it has the token, where nothing else is said. */
function posting(
  name: string,
  body: (n: number) => string | Buffer,
  headers = {},
  clients = 4,
  token?: string,
): Attack {
  return {
    name,
    async run(target, stop) {
      let n = 0;
      const one = async (): Promise<void> => {
        while (!stop.aborted) {
          const status = await send(target.url, body(n++), { token: token ?? target.token, headers });
          if (status === 0) await pause(20);
        }
      };
      await Promise.all(Array.from({ length: clients }, one));
    },
  };
}

/** Opens so many connections, opens another for each that is cut off, and says little on any of them. */
function slow(name: string, connections: number, begin: (target: Target) => string, more: string): Attack {
  return {
    name,
    async run(target, stop) {
      const { port } = new URL(target.url);
      const open = new Set<Socket>();
      while (!stop.aborted) {
        while (open.size < connections) {
          const socket = connect(Number(port), '127.0.0.1');
          open.add(socket.on('error', () => {}).on('close', () => open.delete(socket)));
          socket.resume().write(begin(target));
        }
        await pause(250);
        for (const socket of open) socket.write(more);
      }
      for (const socket of open) socket.destroy();
    },
  };
}

const GZIP = { 'content-encoding': 'gzip' };

/** Each with its size: by hand they are what the promise says, in CI so much of it as does the same in a second. */
export function httpAttacks(million: number): Attack[] {
  const bomb = gzipSync(Buffer.alloc(64 << 20, 'x'));
  const lines_bomb = gzipSync(`${'x'.repeat(99)}\n`.repeat(150_000));
  const keys = Array.from({ length: million }, (_, n) => `"k${n}":1`).join(',');
  const some_keys = `{${Array.from({ length: 80_000 }, (_, n) => `"k${n}":1`).join(',')}}\n`.repeat(10);
  const deep = `{"a":${'['.repeat(million / 2)}${']'.repeat(million / 2)}}\n`.repeat(10);
  const control = Buffer.alloc(15 << 20, 1);
  for (let at = 999; at < control.length; at += 1_000) control[at] = 10;
  return [
    posting('bombs of gzip, 1000:1', () => bomb, GZIP, 8),
    posting('bombs of gzip, as lines', (n) => (n % 2 === 0 ? lines_bomb : bomb), GZIP, 8),
    posting('gzip of gzip', () => gzipSync(bomb), GZIP, 8),
    slow('1,000 slow headers', 1_000, () => 'POST /ingest HTTP/1.1\r\nHost: a\r\nX-A: ', 'a'),
    slow(
      '1,000 slow bodies',
      1_000,
      ({ token }) => `POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 16000000\r\n\r\n`,
      'a'.repeat(20),
    ),
    slow(
      'chunks of one byte',
      32,
      ({ token }) =>
        `POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      '1\r\na\r\n'.repeat(20_000),
    ),
    posting('1 M values of a label', (n) => names(n, Math.ceil(million / 400))),
    posting('wrong tokens', () => 'x', {}, 32, 'let-me-out'),
    posting('1 M keys', (n) => (n % 2 === 0 ? `{${keys}}` : some_keys), {}, 2),
    posting('depth of 1 M', () => deep, {}, 2),
    posting(
      'rows larger than their lines',
      (n) => (n % 2 === 0 ? control : `{"n":${n}}\n${'{}\n'.repeat(million / 4)}`),
      {},
      2,
    ),
    posting(
      '16 MB at once from many clients',
      (n) => `${n} ${'x'.repeat(298)}\n`.repeat(50_000),
      {},
      million < 1_000_000 ? 16 : 64,
    ),
  ];
}

function names(request: number, count: number): string {
  return Array.from({ length: count }, (_, n) => line(`step ${request} ${n}`)).join('');
}

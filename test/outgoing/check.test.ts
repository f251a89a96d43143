import { chmodSync, realpathSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { CheckItem } from '../../src/check/item.ts';
import type { OutgoingOptions, TlsOptions } from '../../src/outgoing/index.ts';
import { Authority } from '../support/certificates.ts';
import { files, KINDS, Proxy, sinkOf, Store } from './parts.ts';

const authority = new Authority('ours');
const ending = new Authority('ends soon', 10.5);
const server = authority.sign({ name: 'server', of: ['127.0.0.1', 'store.test'] });
const signed = (to: number, from = -1): { cert: string; key: string } => authority.sign({ name: 'steptap', from, to });
const [good, soon, past, early, last] = [signed(365), signed(12.5), signed(-0.5), signed(30, 2), signed(0.5)];

const path = files({
  'ca.crt': authority.cert,
  'ending.crt': `${authority.cert}${ending.cert}`,
  'good.crt': good.cert,
  'good.key': good.key,
  'soon.crt': soon.cert,
  'soon.key': soon.key,
  'past.crt': past.cert,
  'past.key': past.key,
  'early.crt': early.cert,
  'early.key': early.key,
  'last.crt': last.cert,
  'last.key': last.key,
  'open.key': good.key,
  password: 'canary-pass',
  shown: 'canary-pass',
  empty: '',
});
for (const name of ['open.key', 'shown']) chmodSync(realpathSync(path(name)), 0o644);

const named = (name: string): TlsOptions => ({
  ca_file: path('ca.crt'),
  cert_file: path(`${name}.crt`),
  key_file: path(`${name}.key`),
});

const NOW = 'expires in \\d+ days';

describe.each(KINDS)('%s', (kind) => {
  /** What is said of files and of the way there. */
  async function found(options: Partial<OutgoingOptions>, store: Store, environment = {}): Promise<string[]> {
    const sink = sinkOf(kind, { urls: [`https://127.0.0.1:${store.port}`], ...options }, { environment });
    const items = await sink.check!(new AbortController().signal);
    expect(JSON.stringify(items)).not.toContain('canary');
    const own = ({ what }: CheckItem): boolean => /^tls|_file$|^proxy$|^certificate$/.test(what);
    return items.filter(own).map(({ what, where, state, found: said, todo }) => {
      const short = where.replace(/.*\//, '').replace(/:\d+$/, '');
      return `${state}: ${what} ${short} ${said}${todo === undefined ? '' : ` -> ${todo}`}`;
    });
  }

  const all: readonly (readonly [string, Partial<OutgoingOptions>, readonly string[]])[] = [
    ['nothing', { tls: { insecure_skip_verify: false } }, []],
    [
      'all is well',
      { user: 'me', password_file: path('password'), tls: named('good') },
      [
        'ok: tls.ca_file ca.crt expires in 3649 days',
        'ok: tls.cert_file good.crt expires in 364 days',
        'ok: tls.key_file good.key can be read',
        'ok: password_file password can be read',
      ],
    ],
    [
      'a certificate ends soon',
      { tls: { ...named('soon'), ca_file: path('ending.crt') } },
      [
        'warning: tls.ca_file ending.crt expires in 10 days -> name the authority that follows',
        'warning: tls.cert_file soon.crt expires in 12 days -> get another one',
        'ok: tls.key_file soon.key can be read',
      ],
    ],
    [
      'a certificate ends today',
      { tls: named('last') },
      ['warning: tls.cert_file last.crt expires today -> get another one'],
    ],
    [
      'a certificate has expired',
      { tls: named('past') },
      ['problem: tls.cert_file past.crt has expired -> get another one'],
    ],
    [
      'a certificate of tomorrow',
      { tls: named('early') },
      ['problem: tls.cert_file early.crt is not valid yet -> check the clock of this machine'],
    ],
    [
      'a key of another certificate',
      { tls: { ...named('good'), key_file: path('soon.key') } },
      [
        `problem: tls.key_file soon.key is not the key of ${path('good.crt')} -> name a key and a certificate that belong together`,
      ],
    ],
    [
      'secrets that everybody can read',
      { user: 'me', password_file: path('shown'), tls: { ...named('good'), key_file: path('open.key') } },
      ['tls.key_file open.key', 'password_file shown'].map(
        (what) =>
          `warning: ${what} can be read by everybody on this machine -> take that right away (chmod o-r; in Kubernetes, defaultMode: 0440)`,
      ),
    ],
    [
      'files that are not there, or no such files',
      {
        bearer_token_file: '/nowhere/token',
        tls: { ca_file: path('good.key'), cert_file: path('empty'), key_file: path('ca.crt') },
      },
      [
        'problem: tls.ca_file good.key holds no whole certificates in PEM -> put a whole file there, or name another',
        'problem: tls.cert_file empty is empty -> put a whole file there, or name another',
        'problem: bearer_token_file token cannot be read (ENOENT) -> check its name, its owner and its permissions',
      ],
    ],
    [
      'nobody is asked who he is',
      { tls: { insecure_skip_verify: true } },
      [
        'warning: tls insecure_skip_verify any certificate of the server will do: whoever is in between can read and change all that is sent -> name its authority in tls.ca_file instead',
      ],
    ],
  ];

  test.each(all)('check says when %s', async (_, options, said) => {
    const store = await new Store().start(server);
    const items = await found(options, store);
    expect(items).toEqual(expect.arrayContaining([...said]));
    // Of nothing there is nothing to say.
    expect(items.length === 0).toBe(said.length === 0);
  });

  test("check says when the server's certificate ends soon, and which proxy is on the way to it", async () => {
    const short = authority.sign({ name: 'server', of: ['store.test'], to: 3.5 });
    const [store, proxy] = [await new Store().start(short), await new Proxy().start()];
    const urls = [`https://store.test:${store.port}`];
    const environment = { HTTPS_PROXY: `http://me:canary@127.0.0.1:${proxy.port}` };
    expect(await found({ urls, tls: { ca_file: path('ca.crt') } }, store, environment)).toEqual([
      expect.stringMatching(new RegExp(`^ok: tls.ca_file ca.crt ${NOW}`)),
      `ok: proxy 127.0.0.1 is the way to https://store.test:${store.port} (HTTPS_PROXY)`,
      "warning: certificate store.test the server's expires in 3 days -> have it renewed on the server",
    ]);
    expect(proxy.asked.length).toBeGreaterThan(0);
  });
});

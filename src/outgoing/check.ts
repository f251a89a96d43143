import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { CheckItem } from '../check/item.ts';
import type { Clock } from '../clock.ts';
import { errorCode } from '../errors.ts';
import { credentialFiles } from './credentials.ts';
import { OutgoingError } from './errors.ts';
import type { Outgoing, OutgoingOptions } from './index.ts';
import type { TlsOptions } from './schema.ts';
import { certificates, keyTrouble, tlsFiles } from './tls.ts';
import type { NamedFile } from './watched.ts';

const DAY_MS = 86_400_000;
/** Long enough to get another one. */
const SOON_DAYS = 30;

type Now = Pick<Clock, 'wall'>;

/** The files that connections are made of, and whether they will do; only those that are named. */
export function fileItems(options: OutgoingOptions, clock: Now): CheckItem[] {
  const { tls = {} } = options;
  const files = [...tlsFiles(tls), ...credentialFiles(options)];
  const items = files.map((file) => fileItem(file, tls, clock.wall()));
  if (tls.insecure_skip_verify !== true) return items;
  const found = 'any certificate of the server will do: whoever is in between can read and change all that is sent';
  const todo = 'name its authority in tls.ca_file instead';
  return [...items, { what: 'tls', where: 'insecure_skip_verify', state: 'warning', found, todo }];
}

/** What was seen on the way to an address, once it has been asked something. */
export function wayItems({ name, proxy, agent }: Outgoing, clock: Now): CheckItem[] {
  const items: CheckItem[] = [];
  if (proxy !== undefined) {
    const found = `is the way to ${name} (${proxy.variable})`;
    items.push({ what: 'proxy', where: proxy.name, state: 'ok', found });
  }
  const { server_expires } = agent;
  const left = server_expires === undefined ? Infinity : daysLeft(server_expires, clock.wall());
  if (left <= SOON_DAYS) {
    const todo = 'have it renewed on the server';
    items.push({ what: 'certificate', where: name, state: 'warning', found: `the server's ${ends(left)}`, todo });
  }
  return items;
}

function fileItem(file: NamedFile, tls: TlsOptions, now: number): CheckItem {
  const item = { what: file.option, where: file.path };
  try {
    const content = readFileSync(file.path);
    if (content.toString('latin1').trim() === '') return { ...item, state: 'problem', found: 'is empty', todo: WHOLE };
    if (file.option === 'tls.key_file') return { ...item, ...keyFound(file, content, tls) };
    if (!file.option.startsWith('tls.')) return { ...item, ...secretFound(file) };
    return { ...item, ...certificateFound(certificates(file, content), file, now) };
  } catch (error) {
    if (error instanceof OutgoingError) {
      const [found = '', todo] = error.message.slice(`${file.option} ${file.path} `.length).split(': ');
      return { ...item, state: 'problem', found, todo };
    }
    const found = `cannot be read (${errorCode(error) ?? 'unknown error'})`;
    return { ...item, state: 'problem', found, todo: 'check its name, its owner and its permissions' };
  }
}

const WHOLE = 'put a whole file there, or name another';

type Found = Pick<CheckItem, 'state' | 'found' | 'todo'>;

/** Of several the one that ends first. */
function certificateFound(found: readonly X509Certificate[], { option }: NamedFile, now: number): Found {
  const early = found.some(({ validFrom }) => Date.parse(validFrom) > now);
  if (early) return { state: 'problem', found: 'is not valid yet', todo: 'check the clock of this machine' };
  const left = Math.min(...found.map(({ validTo }) => daysLeft(new Date(validTo), now)));
  const todo = option === 'tls.ca_file' ? 'name the authority that follows' : 'get another one';
  if (left < 0) return { state: option === 'tls.ca_file' ? 'warning' : 'problem', found: ends(left), todo };
  if (left <= SOON_DAYS) return { state: 'warning', found: ends(left), todo };
  return { state: 'ok', found: ends(left) };
}

function keyFound(file: NamedFile, content: Buffer, { cert_file, key_passphrase }: TlsOptions): Found {
  try {
    const key = createPrivateKey({
      key: content,
      ...(key_passphrase === undefined ? {} : { passphrase: key_passphrase }),
    });
    const [own] = certificates({ option: 'tls.cert_file', path: cert_file! }, readFileSync(cert_file!));
    if (own?.checkPrivateKey(key) === true) return secretFound(file);
    const found = `is not the key of ${cert_file}`;
    return { state: 'problem', found, todo: 'name a key and a certificate that belong together' };
  } catch (error) {
    // That the certificate cannot be read is said of it.
    if (error instanceof OutgoingError || (error as { syscall?: unknown }).syscall !== undefined)
      return secretFound(file);
    return { state: 'problem', found: keyTrouble(errorCode(error) ?? ''), todo: WHOLE };
  }
}

/** A secret of Kubernetes is readable by everybody unless it is told otherwise. */
function secretFound({ path }: NamedFile): Found {
  if ((statSync(path).mode & 0o004) === 0) return { state: 'ok', found: 'can be read' };
  const todo = 'take that right away (chmod o-r; in Kubernetes, defaultMode: 0440)';
  return { state: 'warning', found: 'can be read by everybody on this machine', todo };
}

function daysLeft(end: Date, now: number): number {
  return Math.floor((end.getTime() - now) / DAY_MS);
}

function ends(days: number): string {
  if (days < 0) return 'has expired';
  return days === 0 ? 'expires today' : `expires in ${days} day${days === 1 ? '' : 's'}`;
}

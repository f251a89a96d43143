import { statSync } from 'node:fs';
import type { CheckItem } from '../check/item.ts';
import { isLocal, ListenError, readAddress, tryListening } from './address.ts';
import { readCertificate } from './certificate.ts';
import type { ListenerOptions } from './schema.ts';
import { secretFile } from './secret.ts';

/** A certificate that ends sooner is worth a warning. */
const SOON_DAYS = 30;
const DAY_MS = 86_400_000;

/** Whether it can listen, and with what: the address is taken and given back at once. `secret_file`: where the secret is, if it is in a file. */
export async function checkListener(
  { listen, tls, insecure = false }: ListenerOptions,
  now_ms: number,
  secret_file?: string,
): Promise<CheckItem[]> {
  const items = [await addressItem(listen, insecure)];
  if (tls !== undefined) {
    items.push(certificateItem(tls, now_ms), ...readableByAll('key', tls.key_file));
  }
  if (secret_file !== undefined) {
    const found = secretFile(secret_file);
    const item = { what: 'secret', where: secret_file };
    if (typeof found === 'string') items.push({ ...item, state: 'problem', found, todo: 'name the file that has it' });
    else items.push({ ...item, state: 'ok', found: `has ${found.length === 1 ? 'one' : found.length}` });
    items.push(...readableByAll('secret', secret_file));
  }
  return items;
}

async function addressItem(listen: string, insecure: boolean): Promise<CheckItem> {
  const item = { what: 'address', where: listen };
  try {
    await tryListening(listen);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    return { ...item, state: 'problem', found: error.reason, todo: 'listen on another, or stop who has it' };
  }
  const address = readAddress(listen);
  if (address === undefined || isLocal(address)) return { ...item, state: 'ok', found: 'is free; this machine only' };
  if (!insecure) return { ...item, state: 'ok', found: 'is free; open to the network, with TLS and a secret' };
  return {
    ...item,
    state: 'warning',
    found: 'is free; open to the network, and insecure is said',
    todo: 'see to it that only those who may send can reach it',
  };
}

function certificateItem(tls: NonNullable<ListenerOptions['tls']>, now_ms: number): CheckItem {
  const read = readCertificate(tls);
  const item = { what: 'certificate', where: tls.cert_file };
  if ('wrong' in read) {
    const todo = 'give the certificate and its key in PEM';
    return { ...item, where: tls[read.option] ?? '', state: 'problem', found: read.wrong, todo };
  }
  const days = (read.valid_to.getTime() - now_ms) / DAY_MS;
  const until = read.valid_to.toISOString().slice(0, 10);
  if (days < 0) return { ...item, state: 'problem', found: `has ended on ${until}`, todo: 'renew it' };
  const found = `is that of the key, and good until ${until}`;
  if (days < SOON_DAYS) return { ...item, state: 'warning', found, todo: 'renew it soon' };
  return { ...item, state: 'ok', found };
}

/** A secret that every user of the machine can read is none. */
function readableByAll(what: string, file: string): CheckItem[] {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o004) === 0) return [];
  const todo = `take the right away: chmod o-r ${file}`;
  return [{ what, where: file, state: 'warning', found: 'can be read by everybody on this machine', todo }];
}

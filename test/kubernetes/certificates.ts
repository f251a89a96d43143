import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** An authority, a server at 127.0.0.1 that is also called `kube`, and a client; made by openssl in 100 ms. */
export function certificates(): { readonly ca: Buffer; readonly server: Certificate; readonly client: Certificate } {
  const directory = mkdtempSync(join(tmpdir(), 'steptap-certificates-'));
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (name: string): Certificate => ({
    cert: readFileSync(join(directory, `${name}.crt`)),
    key: readFileSync(join(directory, `${name}.key`)),
  });
  const fresh = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    openssl(...fresh, '-x509', '-days', '2', '-subj', '/CN=test CA', '-keyout', 'ca.key', '-out', 'ca.crt');
    for (const [name, subject] of [
      ['server', '/CN=kube'],
      ['client', '/O=steptap/CN=ada'],
    ] as const) {
      openssl(...fresh, '-subj', subject, '-keyout', `${name}.key`, '-out', `${name}.csr`);
      writeFileSync(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:kube\n');
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
      openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.crt`);
    }
    return { ca: read('ca').cert, server: read('server'), client: read('client') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

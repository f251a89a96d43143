import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** A certificate for 127.0.0.1 that vouches for itself, with its key: `<name>.crt`, `<name>.key`. */
export function makeCertificate(directory: string, name: string, days = 365): { cert_file: string; key_file: string } {
  const cert_file = join(directory, `${name}.crt`);
  const key_file = join(directory, `${name}.key`);
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', String(days)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-out', cert_file, '-keyout', key_file];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], { stdio: 'pipe' });
  return { cert_file, key_file };
}

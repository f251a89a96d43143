import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Linux takes 107 bytes for a socket's path. */
const LONGEST_PATH = 100;

/** Where a socket of a state directory is: in it, or under the temporary directory when its path is too long for a socket. */
export function socketPath(state: string, name: string): string {
  const path = join(resolve(state), name);
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 24);
  return join(tmpdir(), `steptap-${process.getuid?.() ?? 0}-${digest}.sock`);
}

/** Listens on a socket that its owner alone can open. The caller holds the lock of the state: what is there is of a run that was killed. */
export async function listenAlone(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(path, done);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
}

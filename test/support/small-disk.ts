import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * A real disk of so many mebibytes, which is gone after the test; or why there is none. Who may not mount may still do it in a name space of his own, where it is
 * reached through `/proc`.
 */
export async function smallDisk(mebibytes: number): Promise<string | { reason: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'steptap-disk-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const mount = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', directory];
  const mounted = spawnSync('mount', mount, { encoding: 'utf8' });
  if (mounted.status === 0) {
    onTestFinished(() => void spawnSync('umount', ['-l', directory]));
    return directory;
  }
  const child = spawn('unshare', ['-rm', 'sh', '-c', `mount ${mount.join(' ')} && echo mounted && exec cat`]);
  onTestFinished(() => void child.stdin.end());
  const said = await new Promise<string>((resolve) => {
    child.stdout.once('data', (text: Buffer) => resolve(text.toString()));
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code) => resolve(`unshare: exit code ${code}`));
  });
  const inside = `/proc/${child.pid}/root${directory}`;
  if (said.trim() === 'mounted' && isOf(inside, mebibytes)) return inside;
  return { reason: `no disk can be mounted here: ${mounted.stderr?.trim() || mounted.error?.message}; ${said.trim()}` };
}

function isOf(directory: string, mebibytes: number): boolean {
  try {
    const { blocks, bsize } = statfsSync(directory);
    return blocks * bsize === mebibytes << 20;
  } catch {
    return false;
  }
}

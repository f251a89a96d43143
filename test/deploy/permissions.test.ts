import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { Home } from '../cli/parts.ts';
import { workload, type Container, type PodSpec } from './objects.ts';
import { kustomize, withPrograms } from './render.ts';

const home = new Home();
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const ROOT = process.getuid?.() === 0;

/** Runs Node as that container of the pod would: its user, its group and its capabilities. */
async function as(
  pod: PodSpec,
  container: Container,
  args: readonly string[],
): Promise<{ code: number; said: string }> {
  const own: Readonly<Record<string, unknown>> = { ...pod.securityContext, ...container.securityContext };
  const add = container.securityContext.capabilities.add ?? [];
  const capabilities = ['-all', ...add.map((name) => `+${name.toLowerCase()}`)].join(',');
  const group = ['--regid', String(own['runAsGroup']), '--clear-groups'];
  const limits = ['--bounding-set', capabilities, '--inh-caps', capabilities, '--no-new-privs'];
  const command = ['--reuid', String(own['runAsUser']), ...group, ...limits, process.execPath, ...args];
  return new Promise((resolve) => {
    const options = { cwd: '/', env: { PATH: process.env['PATH'] } };
    const child = execFile('setpriv', command, options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), said: stdout + stderr });
    });
    child.stdin!.end();
  });
}

await withPrograms(['kubectl', 'setpriv'], () => {
  const pods = new Map<string, PodSpec>();
  beforeAll(async () => {
    for (const runtime of ['containerd', 'cri-o']) {
      pods.set(runtime, workload(await kustomize(`deploy/kustomize/overlays/${runtime}`)).spec.template.spec);
    }
  });

  /** A log as the runtime leaves it, read by an agent of the overlay after its init containers. */
  async function read(
    overlay: string,
    mode: number,
    owner = 0,
  ): Promise<{ code: number; said: string; kept: string[] }> {
    const { containers, initContainers = [], ...rest } = pods.get(overlay)!;
    const pod = { ...rest, containers };
    await chmod(home.path, 0o755);
    const [log, spool] = [join(home.path, '0.log'), join(home.path, 'spool')];
    await writeFile(log, '2026-11-21T10:00:00.1Z stderr F hello from the pod\n');
    await chmod(log, mode);
    await chown(log, owner, owner);
    // As the kubelet makes it.
    await mkdir(spool, { mode: 0o755 });
    for (const each of [...initContainers, ...initContainers]) {
      const [, ...args] = each.command!.map((word) => word.replace('/var/lib/steptap', spool));
      expect(await as(pod, each, args)).toEqual({ code: 0, said: '' });
    }
    const ended = await as(pod, containers[0]!, [
      MAIN,
      '--stdout',
      '--metrics',
      'none',
      '--input',
      log,
      '--state',
      spool,
    ]);
    return { ...ended, kept: await readdir(spool) };
  }

  test.runIf(ROOT)(
    'under containerd an agent reads the logs, which are 0640 root:root, and writes its spool',
    async () => {
      expect(await read('containerd', 0o640)).toMatchObject({
        code: 0,
        said: expect.stringContaining('hello from the pod') as string,
        kept: ['dead-letters', 'spool'],
      });
    },
  );

  test.runIf(ROOT)('under CRI-O it reads those that are 0600, of root or another user', async () => {
    expect(await read('cri-o', 0o600, 1000)).toMatchObject({
      code: 0,
      said: expect.stringContaining('hello from the pod') as string,
      kept: ['dead-letters', 'spool'],
    });
  });

  test.runIf(ROOT)('under CRI-O the overlay of containerd reads nothing, and says so', async () => {
    expect(await read('containerd', 0o600)).toMatchObject({
      code: 2,
      said: expect.stringContaining('EACCES') as string,
    });
  });
});

import { spawn, execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export type SearchKind = 'opensearch' | 'elasticsearch';

/** A running server: one node, empty, no security, listening on 127.0.0.1 only. */
export interface SearchServer {
  /** Without a trailing slash. */
  url: string;
  version: string;
  /** The server process. */
  pid: number;
  /** Kills the server and removes its data. May be called more than once. */
  stop(): Promise<void>;
}

const versions: Record<SearchKind, string> = { opensearch: '2.19.1', elasticsearch: '8.14.3' };

const startTimeoutMs = 120_000;
const installTimeoutMs = 600_000;

const sources = fileURLToPath(new URL('search', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/steptap-search', import.meta.url));
const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';

const run = promisify(execFile);

/**
 * Why `kind` cannot be run here (no Java, no Maven, the download failed), or undefined when it can.
 * The jars are downloaded at the first call ever and kept; the answer is kept for this process.
 */
export async function searchServerUnavailable(kind: SearchKind): Promise<string | undefined> {
  try {
    await installed(kind);
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

export interface SearchServerOptions {
  /** Starts in two thirds of the time, but runs slower: for tests, not for measurements. */
  quickStart?: boolean;
}

/**
 * Starts a server of its own for the caller and resolves when its cluster is at least yellow.
 * It ends at stop(), and at the latest together with this process.
 */
export async function startSearchServer(
  kind: SearchKind,
  { quickStart = false }: SearchServerOptions = {},
): Promise<SearchServer> {
  const home = await installed(kind);
  const dir = await mkdtemp(join(tmpdir(), `steptap-${kind}-`));
  const log = await open(join(dir, 'server.log'), 'a');
  await mkdir(join(dir, 'data'));
  await mkdir(join(dir, 'logs'));
  const lib = join(home, 'lib');
  const launch = {
    opensearch: ['-cp', join(lib, '*'), join(sources, 'OpenSearchServer.java')],
    elasticsearch: [
      '--module-path',
      lib,
      '--add-modules',
      'ALL-MODULE-PATH',
      '--add-opens',
      'org.elasticsearch.server/org.elasticsearch.http=ALL-UNNAMED',
      join(sources, 'ElasticsearchServer.java'),
    ],
  }[kind];
  const child = spawn(
    java,
    [
      '-Xms512m',
      '-Xmx512m',
      ...(quickStart ? ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'] : []),
      `-Djava.io.tmpdir=${dir}`,
      '-Dlog4j2.disable.jmx=true',
      ...launch,
      home,
      dir,
    ],
    { stdio: ['pipe', log.fd, log.fd] },
  );
  await log.close();

  // The server also ends when its standard input does, so it does not outlive a killed parent.
  child.stdin?.on('error', () => {});
  const end: { reason?: string } = {};
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      end.reason = error.message;
      resolve();
    });
    child.once('exit', (code, signal) => {
      end.reason = `exited with ${signal ?? code}`;
      resolve();
    });
  });
  const onExit = (): void => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', onExit);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    process.off('exit', onExit);
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  };

  const deadline = Date.now() + startTimeoutMs;
  try {
    while (Date.now() < deadline && end.reason === undefined) {
      const url = await address(dir);
      const version = url && (await healthyVersion(url));
      if (version) {
        return { url, version, pid: child.pid ?? 0, stop };
      }
      await sleep(100);
    }
    const output = await readFile(join(dir, 'server.log'), 'utf8');
    throw new Error(
      `${kind} did not start: ${end.reason ?? `no answer in ${startTimeoutMs} ms`}\n${output.slice(-4000)}`,
    );
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address the server wrote when it began to listen; undefined before that. */
async function address(dir: string): Promise<string | undefined> {
  const ports = await readFile(join(dir, 'logs', 'http.ports'), 'utf8').catch(() => '');
  const [line] = ports.split('\n');
  return line ? `http://${line}` : undefined;
}

async function healthyVersion(url: string): Promise<string | undefined> {
  try {
    const health = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=5s`);
    const root = await fetch(url);
    if (!health.ok || !root.ok) {
      return undefined;
    }
    const { version } = (await root.json()) as { version: { number: string } };
    return version.number;
  } catch {
    return undefined;
  }
}

const installs = new Map<SearchKind, Promise<string>>();

/** The folder with the jars of `kind`; rejects with the reason when it cannot be had. */
function installed(kind: SearchKind): Promise<string> {
  let install = installs.get(kind);
  if (!install) {
    install = checkJava().then(() => ensureJars(kind));
    installs.set(kind, install);
  }
  return install;
}

async function checkJava(): Promise<void> {
  const { stdout } = await run(java, ['--list-modules']).catch(() => ({ stdout: '' }));
  const found = /^jdk\.compiler@(\d+)/m.exec(stdout)?.[1];
  if (!found || Number(found) < 17) {
    throw new Error(`needs a JDK, version 17 or later${found ? `: this is ${found}` : ''}`);
  }
}

async function ensureJars(kind: SearchKind): Promise<string> {
  const home = join(cache, `${kind}-${versions[kind]}`);
  if (existsSync(home)) {
    return home;
  }
  await mkdir(cache, { recursive: true });
  const unlock = await lock();
  const staging = `${home}.${process.pid}`;
  try {
    if (!existsSync(home)) {
      await download(kind, staging);
      await rename(staging, home).catch((error: unknown) => {
        if (!existsSync(home)) {
          throw error;
        }
      });
    }
  } finally {
    await rm(staging, { recursive: true, force: true });
    await unlock();
  }
  return home;
}

async function download(kind: SearchKind, dir: string): Promise<void> {
  const lib = join(dir, 'lib');
  await mkdir(lib, { recursive: true });
  const pom = join(dir, 'pom.xml');
  await copyFile(join(sources, `${kind}.pom.xml`), pom);
  try {
    await run(
      'mvn',
      [
        '-q',
        '-B',
        '-f',
        pom,
        `-Dserver.version=${versions[kind]}`,
        `-DoutputDirectory=${lib}`,
        'dependency:copy-dependencies',
      ],
      { timeout: installTimeoutMs, maxBuffer: 1 << 26 },
    );
  } catch (error) {
    const { code, stdout } = error as { code?: unknown; stdout?: string };
    const reason = /\[ERROR\] (.*\S)/.exec(stdout ?? '')?.[1] ?? errorText(error);
    throw new Error(
      code === 'ENOENT' ? 'needs Maven: mvn is not on the PATH' : `the ${kind} jars cannot be downloaded: ${reason}`,
      { cause: error },
    );
  }
  if (kind === 'elasticsearch') {
    await makeTransportModule(dir);
  }
}

/** Elasticsearch loads its HTTP transport from a folder of its own, never from the main jars. */
async function makeTransportModule(dir: string): Promise<void> {
  const module = join(dir, 'modules', 'transport-netty4');
  await mkdir(module, { recursive: true });
  for (const jar of await readdir(join(dir, 'lib'))) {
    if (/^(netty-|transport-netty4-|elasticsearch-ssl-config-)/.test(jar)) {
      await rename(join(dir, 'lib', jar), join(module, jar));
    }
  }
  await writeFile(
    join(module, 'plugin-descriptor.properties'),
    `name=transport-netty4
description=Netty 4 based transport implementation
version=${versions.elasticsearch}
elasticsearch.version=${versions.elasticsearch}
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
`,
  );
}

/** One download at a time on this machine; a lock whose owner is gone is taken over. */
async function lock(): Promise<() => Promise<void>> {
  const file = join(cache, 'lock');
  const deadline = Date.now() + installTimeoutMs;
  while (Date.now() < deadline) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
    const pid = Number(await readFile(file, 'utf8').catch(() => ''));
    if (pid > 0 && !isAlive(pid)) {
      await rm(file, { force: true });
    } else {
      await sleep(250);
    }
  }
  throw new Error(`another process has been downloading for too long: remove ${file}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

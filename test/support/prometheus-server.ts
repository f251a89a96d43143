import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** One series of an instant vector. */
export interface Answer {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusServer {
  readonly url: string;
  /** Evaluates an expression now. */
  query(promql: string): Promise<readonly Answer[]>;
  stop(): Promise<void>;
}

/** Why there is no Prometheus here, and how to get it; undefined when there is one. */
export async function prometheusUnavailable(): Promise<string | undefined> {
  for (const program of ['prometheus', 'promtool']) {
    try {
      await promisify(execFile)(program, ['--version']);
    } catch (error) {
      return `${program} does not run (${(error as NodeJS.ErrnoException).code}): apt-get install -y prometheus`;
    }
  }
  return undefined;
}

/** Starts a Prometheus with an empty store on a free port, which scrapes every target (`127.0.0.1:9464`) every second. */
export async function startPrometheus(options: { targets: readonly string[] }): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'steptap-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'steptap', static_configs: [{ targets: options.targets }] }],
  };
  // JSON is YAML.
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const server = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
      '--log.format=json',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await once(server, 'spawn');
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const url = `http://${await listening(server)}`;
    return { url, stop, query: (promql) => query(url, promql) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address that Prometheus chose for port 0, from its log. */
async function listening(server: ChildProcess): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: server.stderr! })) {
    said.push(line);
    const entry = (line.startsWith('{') ? JSON.parse(line) : {}) as { msg?: string; address?: string };
    if (entry.msg !== 'Listening on' || entry.address === undefined) continue;
    // Leaving the loop closed the stream's reader; a full pipe would stop the server.
    server.stderr!.resume();
    return entry.address;
  }
  throw new Error(`prometheus ended before it listened:\n${said.join('\n')}`);
}

interface Reply {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] };
}

async function query(url: string, promql: string): Promise<readonly Answer[]> {
  const response = await fetch(`${url}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: promql }) });
  const reply = (await response.json()) as Reply;
  if (reply.status !== 'success') throw new Error(`prometheus refuses ${promql}: ${reply.error}`);
  return reply.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

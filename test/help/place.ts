import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startElasticsearchBench, type ElasticsearchBench } from '../contract/elasticsearch-bench.ts';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SESSION = fileURLToPath(new URL('../fixtures/sample-session.telemetry.jsonl', import.meta.url));
const PIPELINES = fileURLToPath(new URL('../../pipelines', import.meta.url));
const SAMPLE = join(PIPELINES, 'flytekit.sample.log');

/** Programs of other people that examples use, as far as the examples need them. */
const PROGRAMS = {
  kubectl: `cat '${SAMPLE}'`,
  'clickhouse-client': 'cat > /dev/null',
  jq: 'cat > /dev/null',
  python: `cat '${SAMPLE}' >&2`,
  'pyflyte-execute': `cat '${SAMPLE}' >&2`,
  'task.sh': `cat '${SAMPLE}' >&2`,
};

const PIPELINE = 'sources: { pods: { type: file, path: pod.log } }\nsinks: { files: { directory: rows } }\n';

/** Such a run does not end by itself: it is stopped when it has begun. */
const ENDLESS = /--follow\b/;
/** Nor does this, which looks at one that goes on. */
const WATCHES = /\bsteptap tail\b/;

export interface Result {
  readonly code: number | null;
  readonly said: string;
}

/**
 * A machine on which the examples of the help can be run as they stand: the file and the programs that they name, servers under their addresses, and the states
 * of earlier runs.
 */
export class Place {
  readonly #root: string;
  readonly #clickhouse: ClickHouseServer;
  readonly #search: ElasticsearchBench;

  private constructor(root: string, clickhouse: ClickHouseServer, search: ElasticsearchBench) {
    this.#root = root;
    this.#clickhouse = clickhouse;
    this.#search = search;
  }

  static async make(): Promise<Place> {
    const root = await mkdtemp(join(tmpdir(), 'steptap-help-'));
    const place = new Place(root, await startClickHouse(), await startElasticsearchBench());
    await place.#programs('bin', { ...PROGRAMS, steptap: `exec '${process.execPath}' '${MAIN}' "$@"` });
    await place.#programs('recording', {
      steptap: `{ for word; do printf '%s\\0' "$word"; done; printf '\\1'; } >> "$RECORD"; cat > /dev/null`,
    });
    await mkdir(join(root, 'first'));
    await cp(SAMPLE, join(root, 'first', 'pod.log'));
    await writeFile(join(root, 'first', 'pipeline.yaml'), PIPELINE);
    await cp(join(root, 'bin', 'task.sh'), join(root, 'first', 'task.sh'));
    await cp(PIPELINES, join(root, 'first', 'pipelines'), { recursive: true });
    await cp(SESSION, join(root, 'first', 'test', 'fixtures', 'sample-session.telemetry.jsonl'));
    for (const run of [
      'steptap --input pod.log --metrics none',
      'steptap --input pod.log --metrics none --state var --clickhouse http://clickhouse:8123',
    ]) {
      const { code, said } = await place.run(run, 'first');
      if (code !== 0) throw new Error(`${run}: ${said}`);
    }
    return place;
  }

  async #programs(directory: string, programs: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(join(this.#root, directory));
    for (const [name, text] of Object.entries(programs)) {
      const path = join(this.#root, directory, name);
      await writeFile(path, `#!/bin/sh\n${text}\n`);
      await chmod(path, 0o755);
    }
  }

  /** A working directory, and home, with everything in it that examples name. */
  async home(name: string): Promise<string> {
    await cp(join(this.#root, 'first'), join(this.#root, name), { recursive: true });
    return name;
  }

  /** Runs it in a shell. */
  async run(
    example: string,
    home: string,
    before: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<Result> {
    const text = example
      .replaceAll('http://clickhouse:8123', this.#clickhouse.url)
      .replaceAll('http://search:9200', this.#search.server.url)
      .replaceAll('/var/lib/steptap', 'var');
    const path = [...before, 'bin'].map((each) => join(this.#root, each));
    const cwd = join(this.#root, home);
    const { PATH = '' } = process.env;
    // The shell outlives the signal, and tells how the run ended.
    const watches = WATCHES.test(text) && before.length === 0;
    const watched = watches ? await this.#follow(cwd) : undefined;
    const endless = ENDLESS.test(text) || watches;
    const program = spawn('sh', ['-c', endless ? `trap : TERM; ${text}` : text], {
      cwd,
      env: { PATH: [...path, PATH].join(':'), HOME: cwd, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let said = '';
    let stopped = !endless;
    const hear = (piece: Buffer): void => {
      said += piece.toString('utf8');
      if (stopped || !said.includes(watches ? 'watching' : ' is ready')) return;
      stopped = true;
      process.kill(-program.pid!, 'SIGTERM');
    };
    program.stdout.on('data', hear);
    program.stderr.on('data', hear);
    const [code] = (await once(program, 'close')) as [number | null];
    await watched?.();
    return { code, said };
  }

  /** A run that goes on until it is told to end. */
  async #follow(cwd: string): Promise<() => Promise<void>> {
    const args = ['--input', 'pod.log', '--follow', '--no-store', '--metrics', 'none'];
    const run = spawn(process.execPath, [MAIN, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(run, 'close');
    let said = '';
    while (!said.includes('storing in')) said += String((await once(run.stderr, 'data'))[0]);
    return async () => {
      run.kill('SIGKILL');
      await ended;
    };
  }

  /** What steptap is called with in it, as the shell reads it: a list of words for each call. Nothing is run but the shell. */
  async calls(example: string): Promise<string[][]> {
    const home = await mkdtemp(join(this.#root, 'calls-'));
    const record = join(home, 'record');
    await this.run(example, home.slice(this.#root.length), ['recording'], { RECORD: record });
    const text = await readFile(record, 'utf8').catch(() => '');
    return text
      .split('\x01')
      .slice(0, -1)
      .map((call) => call.split('\0').slice(0, -1));
  }

  async close(): Promise<void> {
    await this.#clickhouse.stop();
    await this.#search.stop();
    await rm(this.#root, { recursive: true, force: true });
  }
}

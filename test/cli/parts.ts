import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { FakeClickHouse } from '../contract/clickhouse-bench.ts';
import { startFaultyServer, type FaultyServer } from '../support/faulty-server.ts';
import { Cli, type CliOptions } from '../support/run-cli.ts';

/** A step as flytekit prints it. */
export function line(step: string, wall_time_s = 1.5): string {
  const start = '{"asctime": "2026-02-19 10:30:44,025", "name": "flytekit.telemetry", "levelname": "INFO"';
  const event = `"message": "flytekit_step", "event": "flytekit_step", "step": "${step}", "wall_time_s": ${wall_time_s}`;
  const rest = '"process_time_s": 0.5, "status": "success", "execution_id": "x", "task_name": "t.f"';
  return `${start}, ${event}, ${rest}, "project": "p", "domain": "d"}\n`;
}

export function lines(count: number, name = 'row'): string {
  return Array.from({ length: count }, (_, number) => line(`${name} ${number}`)).join('');
}

/** A directory of its own for every test, in which the programs of the test run; they end with it. */
export class Home {
  path = '';
  readonly #started: Cli[] = [];
  readonly #servers: FaultyServer[] = [];

  constructor() {
    beforeEach(async () => {
      this.path = await mkdtemp(join(tmpdir(), 'steptap-cli-'));
    });
    afterEach(async () => {
      for (const cli of this.#started.splice(0)) {
        cli.kill('SIGKILL');
        await cli.ended;
      }
      for (const server of this.#servers.splice(0)) await server.leave();
      // A tapping process may still be delivering, and writes into it meanwhile.
      await rm(this.path, { recursive: true, force: true, maxRetries: 10 });
    });
  }

  start(args: readonly string[], options: Omit<CliOptions, 'cwd'> = {}): Cli {
    const cli = new Cli(args, { cwd: this.path, ...options });
    this.#started.push(cli);
    return cli;
  }

  async clickhouse(): Promise<{ server: FaultyServer; backend: FakeClickHouse }> {
    const backend = new FakeClickHouse();
    const server = await startFaultyServer(backend);
    this.#servers.push(server);
    return { server, backend };
  }

  /** The lines of the files in a directory of the state, in the order of their names. */
  async rows(...path: string[]): Promise<Record<string, unknown>[]> {
    const directory = join(this.path, ...path);
    const rows: Record<string, unknown>[] = [];
    for (const name of (await readdir(directory)).sort()) {
      const text = await readFile(join(directory, name), 'utf8');
      for (const each of text.split('\n').slice(0, -1)) rows.push(JSON.parse(each) as Record<string, unknown>);
    }
    return rows;
  }
}

/** The steps of which there is more than one row: none, in a run that does what it should with steps of different names. */
export function twice(backend: FakeClickHouse): (string | undefined)[] {
  const seen = new Set<string | undefined>();
  return backend.rows.map(({ raw }) => raw).filter((raw) => seen.size === seen.add(raw).size);
}

import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { CheckItem } from '../../src/check/item.ts';
import {
  startFaultyServer,
  type Asked,
  type Backend,
  type FaultyServer,
  type Reply,
} from '../support/faulty-server.ts';
import type { Ended } from '../support/run-cli.ts';

export type Said = CheckItem & { readonly part: string };

/** What `check --json` said. */
export function saidBy({ stdout }: Ended): Said[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Said);
}

/** One line for each item that is not in order: its part, state, and what was found. */
export function troubles(ended: Ended): string[] {
  return saidBy(ended)
    .filter(({ state }) => state !== 'ok')
    .map(({ part, what, state, found }) => `${part}: ${what}: ${state}: ${found}`);
}

/** Everything below a directory: names, sizes, times and content. */
export async function listing(directory: string): Promise<string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const path = join(directory, name);
    const { size, mode, mtimeNs } = await stat(path, { bigint: true });
    const content = (await stat(path)).isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : '';
    lines.push(`${name} ${size} ${mode} ${mtimeNs} ${content}`);
  }
  return lines;
}

/** A ClickHouse that answers questions: those that begin so with what is said here, and others with nothing. */
export class AskedClickHouse implements Backend {
  answers: Record<string, string | { code: number; name: string }> = {
    'SELECT version()': '25.8.1.1\n',
    'SELECT name FROM system.settings': 'async_insert\ninsert_deduplication_token\n',
    'SELECT toUnixTimestamp64Milli': '',
    'SELECT name FROM system.databases': 'default\n',
    'SELECT currentUser()': 'ada\t0\n',
    'CHECK GRANT': '1\n',
  };

  brings(): boolean {
    return false;
  }

  answer(asked: Asked): Reply {
    const query = queryOf(asked);
    const found = Object.entries(this.answers).find(([start]) => query.startsWith(start))?.[1] ?? '';
    if (typeof found === 'string') return { status: 200, body: found };
    const body = `Code: ${found.code}. DB::Exception: ada: not so. (${found.name}) (version 25.8.1.1)`;
    return { status: 500, headers: { 'x-clickhouse-exception-code': String(found.code) }, body };
  }
}

export function queryOf({ url, body }: Asked): string {
  return url.searchParams.get('query') ?? body;
}

/** A server with a backend of its own, until the test ends. */
export async function served<B extends Backend>(backend: B): Promise<{ server: FaultyServer; backend: B }> {
  const server = await startFaultyServer(backend);
  onTestFinished(() => server.leave());
  return { server, backend };
}

/** Nothing that was asked could have changed anything. */
export function onlyAsked({ asked }: FaultyServer): void {
  expect(asked.length).toBeGreaterThan(0);
  for (const each of asked) {
    if (each.method === 'GET' || each.url.pathname === '/_security/user/_has_privileges') continue;
    expect(queryOf(each)).toMatch(/^(?:SELECT|SHOW|CHECK) /);
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import type { Field } from '../../../src/fields.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink } from '../../../src/sinks/clickhouse/index.ts';
import type { ClickHouseOptions } from '../../../src/sinks/clickhouse/index.ts';
import { SinkError, type Sink } from '../../../src/sinks/sink.ts';
import { startClickHouse, type ClickHouseServer } from '../../support/clickhouse-server.ts';

export const never: AbortSignal = new AbortController().signal;

export interface Engine {
  readonly server: ClickHouseServer;
  /** A directory for the embedded engine. */
  readonly path: string;
  /** What the sinks said. */
  readonly told: string[];
  /** Closed after the tests. */
  sinkOf(options: Partial<ClickHouseOptions>, declared?: readonly Field[]): Sink;
  /** The name of a database that no other test uses. */
  unused(): string;
  /** A database of its own, and a sink on it, opened. */
  fresh(options?: Partial<ClickHouseOptions>): Promise<{ sink: Sink; database: string }>;
  /** The answer to a question as numbers and strings. */
  ask(sql: string): Promise<Record<string, unknown>[]>;
}

/** One real server for all tests of a file: it starts before the first and ends after the last. */
export function useClickHouse(): Engine {
  const sinks: Sink[] = [];
  let server: ClickHouseServer;
  let path: string;
  let databases = 0;

  beforeAll(async () => {
    server = await startClickHouse();
    path = await mkdtemp(join(tmpdir(), 'steptap-embedded-'));
  });

  afterAll(async () => {
    for (const sink of sinks) await sink.close();
    await server?.stop();
    await rm(path, { recursive: true, force: true });
  });

  const engine: Engine = {
    get server() {
      return server;
    },
    get path() {
      return path;
    },
    told: [],
    sinkOf(options, declared) {
      const log = (_: unknown, message: string): void => void engine.told.push(message);
      const sink = createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, ...options }, { clock: systemClock, log, declared });
      sinks.push(sink);
      return sink;
    },
    unused: () => `d${databases++}`,
    async fresh(options = {}) {
      const database = engine.unused();
      const sink = engine.sinkOf({ urls: [server.url], database, ...options });
      await sink.open(never);
      return { sink, database };
    },
    async ask(sql) {
      const text = await server.query(`${sql} FORMAT JSONEachRow`);
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
  return engine;
}

/** What the promise failed with, which has to be a sink's error. */
export async function failure(promise: Promise<unknown>): Promise<SinkError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SinkError);
  return error as SinkError;
}

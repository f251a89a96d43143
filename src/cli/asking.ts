import { existsSync } from 'node:fs';
import { systemClock } from '../clock.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { connect, type Connection } from '../sinks/clickhouse/connect.ts';
import { qualified } from '../sinks/clickhouse/ddl.ts';
import { embeddedInstalled, openEmbedded } from '../sinks/clickhouse/embedded.ts';
import { CLICKHOUSE_DEFAULTS, type ClickHouseOptions } from '../sinks/clickhouse/index.ts';
import { asSinkError, SinkError } from '../sinks/sink.ts';
import { lockHolder, lockState } from '../state/lock.ts';
import { askRun } from '../state/query-socket.ts';

/** A ClickHouse that answers questions: a server, or the embedded store, which the run that has it is asked for. */
export interface Answering {
  /** What stands in it, for messages. */
  readonly where: string;
  /** The name of a table, for a statement. */
  table(name: string): string;
  /** Resolves with what the statement prints; rejects with the engine's message. */
  ask(sql: string): Promise<string>;
  close(): Promise<void>;
}

/** The embedded store of a state. Throws a UsageError when there is none, or nobody can be asked. */
export async function askState(state: string, path: string): Promise<Answering> {
  if (!existsSync(path))
    throw new UsageError(`--state ${state}: there is no embedded store; a run without --clickhouse makes one`);
  const named = { where: `the embedded store in ${path}`, table: (name: string) => name };
  if ((await askRun(state, 'SELECT 1')) !== undefined) {
    const ended = `--state ${state}: the run that answered has ended; ask again`;
    const ask = async (sql: string): Promise<string> => {
      const answer = await askRun(state, sql);
      if (answer === undefined) throw new UsageError(ended);
      return answer;
    };
    return { ...named, ask, close: async () => {} };
  }
  const holder = lockHolder(state);
  if (holder !== undefined)
    throw new UsageError(
      `--state ${state}: process ${holder} has it and answers no queries; try again when it has ended`,
    );
  if (!(await embeddedInstalled())) throw new UsageError('the embedded store is not installed: npm install chdb@3.4.0');
  const lock = lockState(state);
  try {
    const engine = await openEmbedded(path);
    return {
      ...named,
      ask: (sql) => engine.query(sql),
      async close() {
        await engine.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

const LONGEST_ANSWER = 256 << 20;

/** A server; of several the first that can be reached. */
export async function askServer(options: Partial<ClickHouseOptions>, log: Log): Promise<Answering> {
  const all: ClickHouseOptions = { ...CLICKHOUSE_DEFAULTS, ...options };
  const connections = await connect(all, { clock: systemClock, log });
  const asked = async (connection: Connection, query: string): Promise<string> =>
    connection.ask({ query, max_answer_bytes: LONGEST_ANSWER }, AbortSignal.timeout(all.timeout_ms));
  const close = async (): Promise<void> => {
    await Promise.allSettled(connections.map((each) => each.close()));
  };
  let failure: SinkError | undefined;
  for (const connection of connections) {
    try {
      await asked(connection, 'SELECT 1');
      return {
        where: `ClickHouse at ${connection.where}`,
        table: (name) => qualified(all, name),
        ask: (sql) => asked(connection, sql),
        close,
      };
    } catch (error) {
      failure = asSinkError(error);
    }
  }
  await close();
  throw failure ?? new Error('clickhouse: `urls` is empty');
}

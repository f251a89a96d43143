import { existsSync } from 'node:fs';
import { directoryItem } from '../../check/directory.ts';
import { failed, inTime, type CheckItem } from '../../check/item.ts';
import { fileItems, wayItems } from '../../outgoing/check.ts';
import { SinkError, type SinkContext } from '../sink.ts';
import { lines, type Run } from './catalog.ts';
import { connect, type Connection } from './connect.ts';
import { checkTables } from './check-tables.ts';
import { elsewhere } from './errors.ts';
import { embeddedInstalled } from './embedded.ts';
import { ways } from './login.ts';
import { identify, TOO_OLD, tooOld } from './prepare.ts';
import type { ClickHouseOptions } from './schema.ts';

/** A day is steptap's own, and a retention by time the server's: more than this, and somebody should know. */
const SKEW_MS = 10_000;

type Context = Pick<SinkContext, 'clock' | 'environment' | 'declared'>;

/** Files that are not as they should be are items, not lines of a log. */
const SILENT = (): void => {};

/** What a run would find: every address, and the tables and rights behind the first that answers. Only asks. */
export async function checkClickHouse(
  options: ClickHouseOptions,
  context: Context,
  signal: AbortSignal,
): Promise<CheckItem[]> {
  if (options.path !== undefined) return checkEmbedded(options.path);
  const connections = await connect(options, { ...context, log: SILENT });
  try {
    const servers = await Promise.all(connections.map((each) => askServer(each, context, inTime(signal))));
    const good = servers.find(({ run }) => run !== undefined);
    const own = [
      ...fileItems(ways(options), context.clock),
      ...connections.flatMap(({ way }) => (way === undefined ? [] : wayItems(way, context.clock))),
    ];
    // A run goes on with the next address where one cannot be reached, and stands still where one refuses.
    const found = servers.flatMap(({ items, gone }) =>
      good !== undefined && gone ? items.map((item) => ({ ...item, state: 'warning' as const })) : items,
    );
    const items = [...own, ...found];
    if (good?.run === undefined) return items;
    try {
      return [...items, ...(await checkTables(good.run, { ...options, declared: context.declared }))];
    } catch (error) {
      return [...items, { what: 'tables', where: options.database, ...failure(error, good.where) }];
    }
  } finally {
    await Promise.allSettled(connections.map((connection) => connection.close()));
  }
}

interface Server {
  readonly where: string;
  readonly items: readonly CheckItem[];
  /** Asks it, in what is left of its time; undefined where there is no more to ask. */
  readonly run?: Run;
  /** Nobody is there. */
  readonly gone?: boolean;
}

async function askServer(connection: Connection, { clock }: Context, signal: AbortSignal): Promise<Server> {
  const { where } = connection;
  const run: Run = (query) => connection.ask({ query }, signal);
  const server = { what: 'server', where };
  try {
    const { version, names } = await identify(run);
    if (version === '') {
      const found = 'answers, and does not say what it is: its tables would be neither made nor checked';
      return { where, items: [{ ...server, state: 'warning', found }] };
    }
    if (tooOld(names)) {
      const [found, todo] = TOO_OLD.split(': ');
      return { where, items: [{ ...server, state: 'problem', found: `ClickHouse ${version}: ${found}`, todo }] };
    }
    const items: CheckItem[] = [{ ...server, state: 'ok', found: `ClickHouse ${version}` }];
    const skew_ms = await skewOf(run, clock.wall.bind(clock));
    if (Math.abs(skew_ms) > SKEW_MS) {
      const found = `is ${Math.round(Math.abs(skew_ms) / 1000)} s ${skew_ms > 0 ? 'ahead of' : 'behind'} this machine`;
      items.push({ what: 'clock', where, state: 'warning', found, todo: 'let both follow the same time (NTP)' });
    }
    return { where, items, run };
  } catch (error) {
    return {
      where,
      items: [{ ...server, ...failure(error, where) }],
      gone: error instanceof SinkError && (elsewhere(error) || error.code === 'ABORTED'),
    };
  }
}

/** How far the server's clock is ahead. */
async function skewOf(run: Run, now: () => number): Promise<number> {
  const asked = now();
  const there = Number(lines(await run('SELECT toUnixTimestamp64Milli(now64(3)) FORMAT TSV'))[0]);
  return Number.isNaN(there) ? 0 : there - (asked + now()) / 2;
}

function failure(error: unknown, where: string): Pick<CheckItem, 'state' | 'found' | 'todo'> {
  if (!(error instanceof SinkError)) throw error;
  if (error.code === 'ABORTED')
    return {
      state: 'problem',
      found: 'gave no answer in time',
      todo: 'see whether it is overloaded, or a firewall drops what is sent to it',
    };
  return { state: 'problem', ...failed(error.message, where) };
}

async function checkEmbedded(path: string): Promise<CheckItem[]> {
  const engine = { what: 'package', where: 'chdb' };
  const installed: CheckItem = (await embeddedInstalled())
    ? { ...engine, state: 'ok', found: 'is installed' }
    : {
        ...engine,
        state: 'problem',
        found: 'is not installed',
        todo: 'npm install chdb@3.4.0, or give `urls` of a server',
      };
  const directory = directoryItem('engine', path);
  if (directory.state !== 'ok' || !existsSync(path)) return [installed, directory];
  // It is not opened: that would make files.
  return [installed, { ...directory, found: `${directory.found}; its tables are looked at when a run opens it` }];
}

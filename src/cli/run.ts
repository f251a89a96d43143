import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { Command } from 'commander';
import { systemClock, type Clock } from '../clock.ts';
import { Counters } from '../counters.ts';
import { BACKOFF } from '../delivery/backoff.ts';
import type { CursorStore } from '../delivery/cursor.ts';
import { BLOCK_LIMITS, Lane, type LaneState } from '../delivery/lane.ts';
import { Ledger } from '../delivery/ledger.ts';
import { UsageError } from '../errors.ts';
import { startHttpServer, type HttpServer, type Readiness } from '../http-server.ts';
import type { Log } from '../log.ts';
import { runPipeline, undelivered } from '../pipeline.ts';
import { createPrometheusSink, StepRegistry } from '../sinks/prometheus/index.ts';
import { laneOf, type Sink } from '../sinks/sink.ts';
import { fileSource } from '../sources/file/index.ts';
import type { Source } from '../sources/source.ts';
import { detachStdin } from '../sources/stdin/detach.ts';
import { stdinSource } from '../sources/stdin/index.ts';
import { Slabs } from '../slabs.ts';
import type { Spool } from '../spool/spool.ts';
import { serveQueries, type QueryServer } from '../state/query-socket.ts';
import { Summary } from '../summary.ts';
import { version } from '../version.ts';
import { finish, left } from './ending.ts';
import { list } from './options.ts';
import { METRICS, RUN_HELP, runOptions, type RunFlags } from './run-options.ts';
import { decoding, graceMs, metricsSettings, settingsOf, stateSettings, type Settings } from './settings.ts';
import { openState } from './state.ts';
import { createDeadLetterSink, stores } from './stores.ts';

export function runCommand(log: Log): Command {
  const command = new Command('run').description(
    'Read step logs from standard input or files, and store every step. The default command.',
  );
  for (const option of runOptions()) command.addOption(option);
  return command.addHelpText('after', RUN_HELP).action(async (flags: RunFlags, { args: [word] }: Command) => {
    if (word !== undefined)
      throw new UsageError(`${word}: there is no such command; to read a file write --input ${word}`);
    process.exitCode = await run(flags, log);
  });
}

async function run(flags: RunFlags, log: Log): Promise<number> {
  const clock = systemClock;
  const settings = settingsOf(flags);
  const decode = decoding(settings);
  const grace_ms = graceMs(settings);
  const state_options = stateSettings(settings);
  let detached: Readable | undefined;
  const sources = inputs(settings, () => detached ?? process.stdin, clock, log);

  const registry = new StepRegistry();
  const ledger = new Ledger(registry);
  const summary = new Summary();
  const wanted = flags.summary === 'always' || (flags.summary === 'auto' && process.stderr.isTTY);
  const slabs = new Slabs();
  const where = { settings, store: flags.store !== false };
  const { sinks: stored, embedded } = await stores(where, clock, log, () => {
    detached ??= detachStdin(sources.some(({ name }) => name === 'stdin'));
  });
  const dropping = droppers(flags.dropOldest, settings, stored);
  const metrics = metricsSettings(settings);
  const prometheus = metrics === undefined ? [] : [createPrometheusSink({ ...metrics, registry })];
  const state = await openState(state_options, clock, log, slabs, (record) => {
    ledger.accept(record);
    if (wanted) summary.add(record.batch);
  });
  const { spool } = state;
  const counters = new Counters(registry, () => spool.usage());
  const changed = teller(log, stored);
  const lane = async (sink: Sink, linger_ms: number, cursor: CursorStore, late = false): Promise<Lane> => {
    const counted = ledger.lane(sink.name, sink.tables, state.totals(cursor.found, sink.tables));
    const made = new Lane({
      sink,
      spool,
      clock,
      ledger: counted,
      backoff: BACKOFF,
      cursor,
      late,
      limits: { ...BLOCK_LIMITS, linger_ms },
      drop_oldest: dropping.has(sink.name),
      changed,
      log: (message, rows) => log('error', `${sink.name}: ${message}`, { sink: sink.name, rows }),
    });
    ledger.watch(sink.name, made);
    return made;
  };
  const lanes: Lane[] = [];
  for (const sink of stored) lanes.push(await lane(sink, BLOCK_LIMITS.linger_ms, await state.cursor(laneOf(sink))));
  for (const sink of prometheus) lanes.push(await lane(sink, 0, await state.prometheus(sink)));
  const buried = createDeadLetterSink(settings.state, log);
  const deadLetters = await lane(buried, 100, await state.cursor(buried.name), true);
  const all = [...lanes, deadLetters];
  const earlier = ledger.totals(buried.name).accepted;
  state.forsake(all.map(({ sink }) => laneOf(sink)));

  let http: HttpServer | undefined;
  let queries: QueryServer | undefined;
  try {
    http = await metricsServer(
      metrics?.listen,
      registry,
      () => readiness(all, spool),
      caughtUp(lanes, prometheus[0], spool),
      log,
    );
    if (embedded !== undefined) queries = await serveQueries(settings.state, embedded);
    log(
      'info',
      `reading ${sources.map(({ name }) => name).join(', ')}; storing in ${stored.map(({ name }) => name).join(', ') || 'nothing'}`,
      {
        version,
        ...(http === undefined ? {} : { metrics: `${http.url}/metrics` }),
        state: settings.state,
      },
    );
    const stop = onSignals(log, () => left(undelivered(all), { unaccepted: 0, undecoded: 0 }, state.durable, log));
    const result = await runPipeline(
      {
        sources,
        decode,
        spool,
        lanes,
        deadLetters,
        slabs,
        counters,
        clock,
        grace_ms,
      },
      stop,
    );
    if (wanted) process.stderr.write(`\n${summary.render(process.stderr.columns ?? 80)}\n`);
    const { durable } = state;
    const letters = ledger.totals(buried.name).accepted - earlier;
    return finish(
      { result, ledger, lanes: all, letters, durable, stopped: stop.aborted },
      sources.length,
      settings.state,
      log,
    );
  } finally {
    await Promise.allSettled([queries?.close(), http?.close(), ...all.map(({ sink }) => sink.close())]);
    await state.close();
  }
}

function inputs({ config }: Settings, stdin: () => Readable, clock: Clock, log: Log): Source[] {
  const named = Object.values(config.sources ?? {});
  if (named.length > 0) {
    return named.map((source) =>
      source.type === 'stdin' ? stdinSource(stdin) : fileSource(source.path, { ...source, clock, log }),
    );
  }
  if (isatty(0)) {
    throw new UsageError(
      'standard input is a terminal: pipe logs into steptap (kubectl logs -f POD | steptap) or name a file with --input FILE',
    );
  }
  return [stdinSource(stdin)];
}

/** The default address may be taken by another steptap: that is worth a warning, not a failure. */
async function metricsServer(
  address: string | undefined,
  registry: StepRegistry,
  ready: () => Readiness,
  counted: () => boolean,
  log: Log,
): Promise<HttpServer | undefined> {
  if (address === undefined) return undefined;
  try {
    return await startHttpServer({ listen: address, registry, readiness: ready, counted });
  } catch (error) {
    if (address !== METRICS) throw new UsageError((error as Error).message, { cause: error });
    log('warning', `no metrics: ${(error as Error).message}`);
    return undefined;
  }
}

function readiness(lanes: readonly Lane[], spool: Spool): Readiness {
  const sinks = Object.fromEntries(lanes.map(({ sink, state }) => [sink.name, state]));
  return { ready: lanes.every(({ state }) => state.state === 'running'), sinks, spool: spool.usage() };
}

/** True from when the histograms have what the spool had at the start. */
function caughtUp(lanes: readonly Lane[], sink: Sink | undefined, { last }: Spool): () => boolean {
  const lane = lanes.find((each) => each.sink === sink);
  return () => lane === undefined || lane.settled >= last;
}

/** The sinks whose oldest rows may be given up. */
function droppers(text: string | undefined, { config }: Settings, stored: readonly Sink[]): ReadonlySet<string> {
  const named = text === undefined ? [] : list(text);
  const wrong = named.find((name) => !stored.some((sink) => sink.name === name));
  if (wrong !== undefined) {
    const known = stored.map(({ name }) => name).join(', ') || 'none';
    throw new UsageError(`--drop-oldest ${wrong}: rows go to no such sink; there are ${known}`);
  }
  if (text !== undefined) return new Set(named);
  const said = Object.entries(config.sinks ?? {}).filter(([, sink]) => sink.drop_oldest === true);
  return new Set(said.map(([name]) => name));
}

/** Logs what a sink has come to. That it works is said of stores, and after trouble. */
function teller(log: Log, stores: readonly Sink[]): (state: LaneState, sink: Sink) => void {
  const troubled = new Set<Sink>();
  return ({ state, reason }, sink) => {
    const details = { sink: sink.name };
    if (state === 'retrying') log('warning', `${sink.name} is tried again: ${reason}`, details);
    else if (state === 'holding') log('error', `${sink.name} holds until somebody acts: ${reason}`, details);
    if (state === 'retrying' || state === 'holding') troubled.add(sink);
    else if (state === 'running' && (troubled.delete(sink) || stores.includes(sink))) {
      log('info', `${sink.name} is ready: ${sink.describe()}`, details);
    }
  };
}

/** The first SIGTERM or SIGINT ends the reading, a second one the process. */
function onSignals(log: Log, leave: () => unknown): AbortSignal {
  const stop = new AbortController();
  const handle = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      leave();
      process.exit(1);
    }
    log('info', `stopping on ${signal}: delivering what was read; once more to leave at once`);
    stop.abort();
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
  // The terminal was closed.
  process.on('SIGHUP', handle);
  return stop.signal;
}

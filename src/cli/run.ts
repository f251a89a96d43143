import type { Readable } from 'node:stream';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { Counters } from '../counters.ts';
import type { DecodeOptions } from '../decode.ts';
import { BACKOFF } from '../delivery/backoff.ts';
import { BLOCK_LIMITS, Lane, type LaneState } from '../delivery/lane.ts';
import { Ledger } from '../delivery/ledger.ts';
import { UsageError } from '../errors.ts';
import { startHttpServer, type HttpServer, type Readiness } from '../http-server.ts';
import type { Log } from '../log.ts';
import { runPipeline, undelivered, type PipelineResult } from '../pipeline.ts';
import { createPrometheusSink, StepRegistry } from '../sinks/prometheus/index.ts';
import type { Sink } from '../sinks/sink.ts';
import { fileSource } from '../sources/file/index.ts';
import type { Source } from '../sources/source.ts';
import { detachStdin } from '../sources/stdin/detach.ts';
import { stdinSource } from '../sources/stdin/index.ts';
import { Slabs } from '../slabs.ts';
import { MemorySpool } from '../spool/memory.ts';
import { lockState } from '../state/lock.ts';
import { serveQueries, type QueryServer } from '../state/query-socket.ts';
import { Summary } from '../summary.ts';
import { version } from '../version.ts';
import { bytes, constants, list, resolveEnvironment, seconds, several, stateOption, timeZone } from './options.ts';
import { privacyOptions, type PrivacyFlags } from './privacy.ts';
import { createDeadLetterSink, stores } from './stores.ts';

interface RunFlags extends PrivacyFlags {
  input: string[];
  clickhouse: string[];
  elasticsearch: string[];
  elasticsearchPrefix: string;
  metrics?: string;
  state: string;
  logs: 'all' | 'none';
  set: string[];
  timezone: string;
  create: 'auto' | 'never';
  metricSteps: string;
  metricWorkflow: boolean;
  store: boolean;
  maxLineBytes: string;
  spoolBytes: string;
  grace: string;
  summary: 'auto' | 'always' | 'never';
}

const METRICS = '127.0.0.1:9464';

export function runCommand(log: Log): Command {
  return new Command('run')
    .description('Read step logs from standard input or files, and store every step. The default command.')
    .addOption(
      new Option('--input <file>', 'read this file to its end instead of standard input; - is standard input')
        .argParser(several)
        .default([], 'standard input'),
    )
    .addOption(
      new Option('--clickhouse <url>', 'store in this ClickHouse server; several replicas fail over')
        .argParser(several)
        .default([], 'FLYTE_TELEMETRY_CLICKHOUSE_URL'),
    )
    .addOption(
      new Option('--elasticsearch <url>', 'store in this Elasticsearch or OpenSearch; several nodes fail over')
        .argParser(several)
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '--elasticsearch-prefix <prefix>',
        'indices are <prefix>-<table>-<YYYY.MM.DD>; ${env:NAME} is replaced',
      ).default('steptap'),
    )
    .addOption(
      new Option('--metrics <host:port>', `serve /metrics, /healthz and /readyz here, or none (default: ${METRICS})`),
    )
    .addOption(stateOption())
    .addOption(new Option('--no-store', 'with no server named, keep no rows: only metrics and dead letters'))
    .addOption(
      new Option('--logs <which>', 'store ordinary log lines too, or only steps and errors')
        .choices(['all', 'none'])
        .default('all'),
    )
    .addOption(
      new Option('--set <field=value>', 'a constant on every row: namespace, pod, project, ...')
        .argParser(several)
        .default([], 'none'),
    )
    .addOption(
      new Option('--timezone <zone>', 'zone of timestamps that name none: UTC, +02:00, Europe/Berlin').default('UTC'),
    )
    .addOption(
      new Option('--params <names>', 'task inputs whose values are stored: a,b or all or none').default('none'),
    )
    .addOption(
      new Option('--attributes <names>', 'other keys of a line that are stored: a,b or all or none').default('all'),
    )
    .addOption(
      new Option('--drop <keys>', 'keys that are left out, and masked in text: birthday,address').default('none'),
    )
    .addOption(new Option('--mask <keys>', 'keys whose values are masked everywhere: password,token').default('none'))
    .addOption(
      new Option(
        '--hash <keys>',
        'keys whose values become an HMAC: user,email; its secret is in STEPTAP_HASH_KEY or STEPTAP_HASH_KEY_FILE',
      ).default('none'),
    )
    .addOption(
      new Option('--dead-letters-keep-raw', 'keep the very bytes of a line that is rejected, unmasked').default(false),
    )
    .addOption(
      new Option('--create <when>', 'make databases, tables and templates, or never')
        .choices(['auto', 'never'])
        .default('auto'),
    )
    .addOption(
      new Option('--metric-steps <names>', 'the only values of the label step; others become __other__').default(
        '',
        'any, up to a bound',
      ),
    )
    .addOption(new Option('--metric-workflow', 'add the label workflow to the histogram').default(false))
    .addOption(new Option('--max-line-bytes <size>', 'a longer line is a dead letter').default('1m'))
    .addOption(
      new Option('--spool-bytes <size>', 'held in memory for slow sinks before the source has to wait').default('12m'),
    )
    .addOption(
      new Option('--grace <seconds>', 'time to deliver the rest after the input ended or SIGTERM').default('30'),
    )
    .addOption(
      new Option('--summary <when>', 'print a table of the steps at the end')
        .choices(['auto', 'always', 'never'])
        .default('auto', 'auto: at a terminal'),
    )
    .addHelpText('after', HELP)
    .action(async (flags: RunFlags, { args: [word] }: Command) => {
      if (word !== undefined)
        throw new UsageError(`${word}: there is no such command; to read a file write --input ${word}`);
      process.exitCode = await run(flags, log);
    });
}

const HELP = `
Where rows go: the ClickHouse and Elasticsearch that are named; with none, an embedded ClickHouse under --state (see steptap query).
Credentials: in the URL, or FLYTE_TELEMETRY_CLICKHOUSE_USER, _PASSWORD, _DATABASE and ELASTICSEARCH_USERNAME, _PASSWORD, _API_KEY.
FLYTE_TELEMETRY_CLICKHOUSE_TABLE writes steps into that one table, as flytekit itself would.
What could not be stored is in <state>/dead-letters, with the reason.

Examples:
  kubectl logs -f POD | steptap
  kubectl logs -f -l execution-id=EXECUTION --prefix --timestamps | steptap --clickhouse http://clickhouse:8123
  steptap --input pod.log --set namespace=ml-production --set pod=a7hzqtz5cm6k2dnm7k2w-n0-0
  steptap --input pod.log --logs none --mask password,token --params epochs,lr`;

async function run(flags: RunFlags, log: Log): Promise<number> {
  const clock = systemClock;
  const decode: DecodeOptions = {
    constants: constants(flags.set.map((each) => resolveEnvironment('--set', each))),
    privacy: privacyOptions(flags, process.env),
    zone: timeZone(flags.timezone),
    max_line_bytes: bytes('--max-line-bytes', flags.maxLineBytes, 1024),
    logs: flags.logs === 'all',
    fast: true,
  };
  const grace_ms = seconds('--grace', flags.grace);
  const max_bytes = bytes('--spool-bytes', flags.spoolBytes, 1 << 20);
  let detached: Readable | undefined;
  const sources = inputs(flags.input, () => detached ?? process.stdin);

  const registry = new StepRegistry();
  const ledger = new Ledger(registry);
  const summary = new Summary();
  const wanted = flags.summary === 'always' || (flags.summary === 'auto' && process.stderr.isTTY);
  const slabs = new Slabs();
  const spool = new MemorySpool({
    clock,
    max_bytes,
    appended: (record) => {
      ledger.accept(record);
      if (wanted) summary.add(record.batch);
    },
    settled: ({ batch }) => {
      for (const { bytes: rows } of batch.rows) slabs.give(rows.buffer as ArrayBuffer);
    },
  });
  const counters = new Counters(registry, () => spool.usage());
  const { sinks: stored, embedded } = await stores(flags, clock, log, () => {
    detached = detachStdin(sources.some(({ name }) => name === 'stdin'));
  });
  const metrics = { registry, workflow_label: flags.metricWorkflow, steps: list(flags.metricSteps) };
  const prometheus = flags.metrics === 'none' ? [] : [createPrometheusSink(metrics)];
  const lock = lockState(flags.state);
  const changed = teller(log, stored);
  const lane = (sink: Sink, linger_ms: number, late = false): Lane => {
    const counted = ledger.lane(sink.name, sink.tables);
    const made = new Lane({
      sink,
      spool,
      clock,
      ledger: counted,
      backoff: BACKOFF,
      late,
      limits: { ...BLOCK_LIMITS, linger_ms },
      changed,
    });
    ledger.watch(sink.name, made);
    return made;
  };
  const lanes = [
    ...stored.map((sink) => lane(sink, BLOCK_LIMITS.linger_ms)),
    ...prometheus.map((sink) => lane(sink, 0)),
  ];
  const deadLetters = lane(createDeadLetterSink(flags.state), 100, true);
  const all = [...lanes, deadLetters];

  let http: HttpServer | undefined;
  let queries: QueryServer | undefined;
  try {
    http = await metricsServer(flags, registry, () => readiness(all), log);
    if (embedded !== undefined) queries = await serveQueries(flags.state, embedded);
    log(
      'info',
      `reading ${sources.map(({ name }) => name).join(', ')}; storing in ${stored.map(({ name }) => name).join(', ') || 'nothing'}`,
      {
        version,
        ...(http === undefined ? {} : { metrics: `${http.url}/metrics` }),
        state: flags.state,
      },
    );
    const stop = onSignals(log, () => lost(undelivered(all), { unaccepted: 0, undecoded: 0 }, log));
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
    return finish(result, ledger.totals(deadLetters.sink.name).accepted, flags, log);
  } finally {
    await Promise.allSettled([queries?.close(), http?.close(), ...all.map(({ sink }) => sink.close())]);
    lock.release();
  }
}

function inputs(files: readonly string[], stdin: () => Readable): Source[] {
  if (files.length > 0) return files.map((file) => (file === '-' ? stdinSource(stdin) : fileSource(file)));
  if (isatty(0)) {
    throw new UsageError(
      'standard input is a terminal: pipe logs into steptap (kubectl logs -f POD | steptap) or name a file with --input FILE',
    );
  }
  return [stdinSource(stdin)];
}

/** The default address may be taken by another steptap: that is worth a warning, not a failure. */
async function metricsServer(
  flags: RunFlags,
  registry: StepRegistry,
  ready: () => Readiness,
  log: Log,
): Promise<HttpServer | undefined> {
  if (flags.metrics === 'none') return undefined;
  try {
    return await startHttpServer({ listen: flags.metrics ?? METRICS, registry, readiness: ready });
  } catch (error) {
    if (flags.metrics !== undefined) throw new UsageError((error as Error).message, { cause: error });
    log('warning', `no metrics: ${(error as Error).message}`);
    return undefined;
  }
}

function readiness(lanes: readonly Lane[]): Readiness {
  const sinks = Object.fromEntries(lanes.map(({ sink, state }) => [sink.name, state]));
  return { ready: lanes.every(({ state }) => state.state === 'running'), sinks };
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

/** Says what was read and is in no store; gives the exit code. The spool is in memory, so it is gone with the process. */
function lost(rows: ReadonlyMap<string, number>, behind: { unaccepted: number; undecoded: number }, log: Log): number {
  const { unaccepted, undecoded } = behind;
  for (const [sink, count] of rows) log('error', `${count} rows were not delivered to ${sink}`, { sink, rows: count });
  if (unaccepted > 0 || undecoded > 0) {
    const message = `${unaccepted} rows and the ${undecoded} bytes behind them were read and not accepted: the spool was full`;
    log('error', message, { rows: unaccepted, bytes: undecoded });
  }
  if (rows.size === 0 && unaccepted === 0 && undecoded === 0) return 0;
  log(
    'error',
    'what was not delivered is lost with this process; reading the same input again stores what was delivered a second time',
  );
  return 1;
}

function finish(result: PipelineResult, deadLetters: number, flags: RunFlags, log: Log): number {
  const code = lost(result.undelivered, result, log);
  if (result.failure !== undefined) {
    const rest = flags.input.length > 1 ? '; inputs after it were not read' : '';
    log('error', `reading ended early: ${result.failure.message}${rest}`);
  }
  if (deadLetters > 0) {
    const them = deadLetters === 1 ? '1 dead letter is' : `${deadLetters} dead letters are`;
    log('warning', `${them} in ${join(flags.state, 'dead-letters')}, with the reason`, { dead_letters: deadLetters });
  }
  log('info', 'stopped', { state: flags.state });
  return result.failure === undefined ? code : 1;
}

import { Option } from 'commander';
import { prometheusOptions } from '../sinks/prometheus/schema.ts';
import type { SyncPolicy } from '../spool/disk.ts';
import { decodeOptions, type DecodeFlags } from './decode-options.ts';
import { placeOptions, several, type PlaceFlags } from './options.ts';
import { storeOptions, type StoreFlags } from './store-flags.ts';

/** Of `steptap run`; what is not given is as the pipeline says, or the default. */
export interface RunFlags extends PlaceFlags, StoreFlags, DecodeFlags {
  readonly input?: readonly string[];
  readonly follow?: boolean;
  readonly fromStart?: boolean;
  readonly once?: string;
  readonly confirm?: 'rsyslog';
  readonly metrics?: string;
  readonly insecure?: boolean;
  readonly create?: 'auto' | 'never';
  readonly metricSteps?: string;
  readonly metricWorkflow?: boolean;
  /** False: with no server named, no rows are kept. */
  readonly store?: boolean;
  readonly stdout?: boolean;
  readonly spoolBytes?: string;
  readonly spoolMemory?: string;
  readonly sync?: SyncPolicy;
  readonly dropOldest?: string;
  readonly grace?: string;
  readonly summary: 'auto' | 'always' | 'never';
}

/** Where metrics are served unless something else is said. */
export const METRICS = prometheusOptions.properties.listen.default;

/** What `steptap run` can be told. */
export function runOptions(): Option[] {
  return [
    ...placeOptions(),
    new Option('--input <file>', 'read this file to its end instead of standard input; - is standard input').argParser(
      several,
    ),
    new Option(
      '--follow',
      'go on at the end of the files, with what is written later and with files that take their place; of a named pipe, when its writers leave',
    ),
    new Option('--from-start', 'read files from their beginning, though they were read before'),
    new Option(
      '--once <file>',
      'read this file to its end, and exit with 0 when every store has it; what it holds is stored once, however often it is handed over within an hour',
    ),
    new Option(
      '--confirm <protocol>',
      'answer every message of standard input with OK on standard output when it is in the spool: omprog of rsyslog',
    ).choices(['rsyslog']),
    ...storeOptions(),
    new Option('--create <when>', 'make databases, tables and templates, or never (default: auto)').choices([
      'auto',
      'never',
    ]),
    new Option('--no-store', 'with no server named, keep no rows: only metrics and dead letters'),
    new Option(
      '--stdout',
      'write every event as a line of JSON to standard output; with no server named that is all, and nothing is kept on disk unless --state is given',
    ),
    new Option('--metrics <host:port>', `serve /metrics, /healthz and /readyz here, or none (default: ${METRICS})`),
    new Option(
      '--insecure',
      'let listeners that other machines can reach do without TLS and a secret; for networks that are closed in some other way',
    ),
    ...decodeOptions(),
    new Option(
      '--metric-steps <names>',
      'the only values of the label step; others become __other__ (default: any, up to a bound)',
    ),
    new Option('--metric-workflow', 'add the label workflow to the histogram'),
    new Option(
      '--spool-bytes <size>',
      'what the spool may take on disk before sources have to wait (default: 4g, or half of what is free)',
    ),
    new Option(
      '--spool-memory <size>',
      'records kept in memory for sinks that keep up; with --state none the whole spool (default: 12m)',
    ),
    new Option(
      '--sync <when>',
      'when what was read is synced: every 20 ms or 1 MiB, each batch by itself, or never (a power cut then loses or repeats rows) (default: group)',
    ).choices(['group', 'always', 'never']),
    new Option(
      '--drop-oldest <sinks>',
      'sinks whose oldest rows are given up when the spool is full, so that others need not wait (default: none)',
    ),
    new Option(
      '--grace <seconds>',
      'time to deliver the rest after SIGTERM; after the end of the input, how long sinks may stand still (default: 30)',
    ),
    new Option('--summary <when>', 'at a terminal show how the run goes, and at its end print a table of the steps')
      .choices(['auto', 'always', 'never'])
      .default('auto', 'auto, which is at a terminal'),
  ];
}

export const RUN_HELP = `
Rows go to the ClickHouse and Elasticsearch that are named; with none, into an
embedded ClickHouse under --state (see steptap query). What could not be stored
is in <state>/dead-letters, with the reason.
Credentials are in the URL, or in FLYTE_TELEMETRY_CLICKHOUSE_USER, _PASSWORD,
_DATABASE and ELASTICSEARCH_USERNAME, _PASSWORD, _API_KEY.
FLYTE_TELEMETRY_CLICKHOUSE_TABLE writes steps into that one table, as flytekit
itself would.
With --stdout they go to the next program in the pipe too, or only there; when
that ends, so does steptap.
A pipeline of -c FILE is read again on SIGHUP, and when the file changes.
At a terminal the run shows how it goes, unless NO_COLOR, CI or TERM=dumb says
that nobody wants to see it.

Examples:
  kubectl logs -f POD | steptap
  kubectl logs -f -l execution-id=EXECUTION --prefix --timestamps |
    steptap --clickhouse http://clickhouse:8123
  steptap --input pod.log --follow --elasticsearch http://search:9200
  kubectl logs -f POD | steptap --stdout | jq 'select(.status == "error")'
  steptap --input pod.log --set namespace=ml-production \\
    --set pod=a7hzqtz5cm6k2dnm7k2w-n0-0
  steptap --input pod.log --logs none --mask password,token --params epochs,lr`;

import { Option } from 'commander';
import type { SyncPolicy } from '../spool/disk.ts';
import { decodeOptions, type DecodeFlags } from './decode-options.ts';
import { several, stateOption } from './options.ts';
import { storeOptions, type StoreFlags } from './stores.ts';

/** Of `steptap run`. */
export interface RunFlags extends StoreFlags, DecodeFlags {
  input: string[];
  follow: boolean;
  fromStart: boolean;
  metrics?: string;
  state: string;
  create: 'auto' | 'never';
  metricSteps: string;
  metricWorkflow: boolean;
  store: boolean;
  spoolBytes: string;
  spoolMemory: string;
  sync: SyncPolicy;
  dropOldest: string;
  grace: string;
  summary: 'auto' | 'always' | 'never';
}

/** Where metrics are served unless something else is said. */
export const METRICS = '127.0.0.1:9464';

/** What `steptap run` can be told. */
export function runOptions(): Option[] {
  return [
    new Option('--input <file>', 'read this file to its end instead of standard input; - is standard input')
      .argParser(several)
      .default([], 'standard input'),
    new Option(
      '--follow',
      'go on at the end of the files, with what is written later and with files that take their place',
    ).default(false),
    new Option('--from-start', 'read files from their beginning, though they were read before').default(false),
    ...storeOptions(),
    new Option('--create <when>', 'make databases, tables and templates, or never')
      .choices(['auto', 'never'])
      .default('auto'),
    new Option('--no-store', 'with no server named, keep no rows: only metrics and dead letters'),
    new Option('--metrics <host:port>', `serve /metrics, /healthz and /readyz here, or none (default: ${METRICS})`),
    stateOption(),
    ...decodeOptions(),
    new Option('--metric-steps <names>', 'the only values of the label step; others become __other__').default(
      '',
      'any, up to a bound',
    ),
    new Option('--metric-workflow', 'add the label workflow to the histogram').default(false),
    new Option('--spool-bytes <size>', 'what the spool may take on disk before sources have to wait').default(
      'auto',
      '4g, or half of what is free',
    ),
    new Option(
      '--spool-memory <size>',
      'records kept in memory for sinks that keep up; with --state none the whole spool',
    ).default('12m'),
    new Option(
      '--sync <when>',
      'when what was read is synced: every 20 ms or 1 MiB, each batch by itself, or never (a power cut then loses or repeats rows)',
    )
      .choices(['group', 'always', 'never'])
      .default('group'),
    new Option(
      '--drop-oldest <sinks>',
      'sinks whose oldest rows are given up when the spool is full, so that others need not wait',
    ).default('none'),
    new Option(
      '--grace <seconds>',
      'time to deliver the rest after SIGTERM; after the end of the input, how long sinks may stand still',
    ).default('30'),
    new Option('--summary <when>', 'print a table of the steps at the end')
      .choices(['auto', 'always', 'never'])
      .default('auto', 'auto: at a terminal'),
  ];
}

export const RUN_HELP = `
Where rows go: the ClickHouse and Elasticsearch that are named; with none, an embedded ClickHouse under --state (see steptap query).
Credentials: in the URL, or FLYTE_TELEMETRY_CLICKHOUSE_USER, _PASSWORD, _DATABASE and ELASTICSEARCH_USERNAME, _PASSWORD, _API_KEY.
FLYTE_TELEMETRY_CLICKHOUSE_TABLE writes steps into that one table, as flytekit itself would.
What could not be stored is in <state>/dead-letters, with the reason.

Examples:
  kubectl logs -f POD | steptap
  kubectl logs -f -l execution-id=EXECUTION --prefix --timestamps | steptap --clickhouse http://clickhouse:8123
  steptap --input pod.log --set namespace=ml-production --set pod=a7hzqtz5cm6k2dnm7k2w-n0-0
  steptap --input pod.log --logs none --mask password,token --params epochs,lr`;

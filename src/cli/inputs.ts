import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import type { Clock } from '../clock.ts';
import type { LoadedPipeline } from '../config/load.ts';
import type { SourceConfig } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { clickhouseHttpSource } from '../sources/clickhouse-http/index.ts';
import { fileSource } from '../sources/file/index.ts';
import { matches } from '../sources/files/discovery.ts';
import { filesSource } from '../sources/files/index.ts';
import type { Metadata } from '../sources/files/metadata.ts';
import { forwardSource } from '../sources/forward/index.ts';
import { httpSource } from '../sources/http/index.ts';
import type { Source } from '../sources/source.ts';
import { onceSource } from '../sources/file/once.ts';
import { confirmingStdin } from '../sources/stdin/confirm.ts';
import { stdinSource } from '../sources/stdin/index.ts';
import { filesAround } from './files.ts';
import { clickhouseHttpSettings, httpSettings, type Settings } from './settings.ts';

/** The sources of a run, by what makes each another one when it changes. */
export type Inputs = ReadonlyMap<string, Source>;

/** What reads already, when a pipeline becomes another one. */
export interface Reading {
  readonly sources: Inputs;
  /** Names of all that were begun, also of those that have ended. */
  readonly known: ReadonlySet<string>;
}

/** Sources as they are named; those that have not changed are the same objects. Throws a UsageError when one cannot be read. */
export function inputs(
  { config, pipeline }: Settings,
  stdin: () => Readable,
  clock: Clock,
  log: Log,
  metadata: Metadata,
  reading?: Reading,
): Inputs {
  refuseBothOut({ config, pipeline });
  const named = Object.entries(config.sources ?? {});
  if (named.length === 0 && reading === undefined && isatty(0)) {
    throw new UsageError(
      'standard input is a terminal: pipe logs into steptap (kubectl logs -f POD | steptap) or name a file with --input FILE',
    );
  }
  const around = { pipeline, stdin, clock, log, metadata, known: reading?.known ?? new Set<string>() };
  const sources = new Map<string, Source>();
  const taken = new Set<string>();
  for (const [name, config] of named.length === 0 ? [['stdin', { type: 'stdin' }] as const] : named) {
    const refuse = (message: string): never => {
      throw pipeline.error([{ path: ['sources', name], message, name: true }]);
    };
    if (config.type === 'stdin' && config.confirm !== undefined && config.rows === true)
      refuse('rsyslog sends no rows of a steptap: leave out confirm or rows');
    // What is known by its name is another source under another one.
    const key = JSON.stringify(BY_NAME.has(config.type) ? [name, config] : config);
    const before = reading?.sources.get(key);
    if (before === undefined && reading !== undefined && config.type === 'stdin') {
      refuse('standard input cannot join a pipeline that runs: restart steptap');
    }
    const source = before ?? sourceOf(name, config, around);
    const [by] = config.type === 'file' ? named.filter(([, other]) => mayRead(other, source.name)) : [];
    if (by !== undefined) refuse(`${source.name} is read already, by ${by[0]}`);
    // Positions are kept under its name.
    if (taken.has(source.name)) refuse(`${source.name} is read already, as another source`);
    taken.add(source.name);
    sources.set(key, source);
  }
  return sources;
}

function mayRead(config: SourceConfig, path: string): boolean {
  return config.type === 'files' && matches(config, path);
}

/** Standard output is for the words of a protocol, or for rows: throws a UsageError when both are wanted. */
export function refuseBothOut({ config, pipeline }: Pick<Settings, 'config' | 'pipeline'>): void {
  const { sources = {}, sinks = {} } = config;
  const name = Object.keys(sources).find((each) => 'confirm' in sources[each]!);
  if (name === undefined || !Object.values(sinks).some(({ type }) => type === 'stdout')) return;
  const message =
    'confirmations go to standard output, and so would the events of a sink of type stdout: leave one of them out';
  throw pipeline.error([{ path: ['sources', name], message, name: true }]);
}

const BY_NAME: ReadonlySet<SourceConfig['type']> = new Set(['clickhouse-http', 'files', 'forward', 'http']);

interface Around {
  readonly pipeline: LoadedPipeline;
  readonly stdin: () => Readable;
  readonly clock: Clock;
  readonly log: Log;
  readonly metadata: Metadata;
  /** Names of all that were begun by this process. */
  readonly known: ReadonlySet<string>;
}

function sourceOf(name: string, config: SourceConfig, around: Around): Source {
  const { pipeline, clock, log, metadata } = around;
  switch (config.type) {
    case 'files':
      return filesSource(name, config, { ...filesAround(pipeline, name, config), clock, log, metadata });
    case 'forward':
      return forwardSource(`forward:${name}`, config, { clock, log });
    case 'http':
      return httpSource(`http:${name}`, httpSettings(pipeline, name, config), { clock, log });
    case 'clickhouse-http':
      return clickhouseHttpSource(`clickhouse-http:${name}`, clickhouseHttpSettings(pipeline, name, config), {
        clock,
        log,
      });
    case 'file':
      return fileOf(config, around);
    default:
      return stdinOf(config, around);
  }
}

function fileOf(config: Extract<SourceConfig, { type: 'file' }>, { clock, log, known }: Around): Source {
  if (config.once === true) return onceSource(config.path);
  const file = fileSource(config.path, { ...config, clock, log });
  // One that was read by this process goes on where it was.
  return known.has(file.name) ? fileSource(config.path, { ...config, from_start: false, clock, log }) : file;
}

function stdinOf({ confirm, rows }: Extract<SourceConfig, { type: 'stdin' }>, { stdin }: Around): Source {
  if (confirm === undefined) return stdinSource(stdin, rows === true ? 'rows' : 'any');
  return confirmingStdin(stdin, (word) => process.stdout.write(`${word}\n`));
}

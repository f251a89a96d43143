import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { OwnSource } from '../source.ts';
import { Discovery } from './discovery.ts';
import { PATH_ONLY, type Metadata } from './metadata.ts';
import { FilesReader } from './reader.ts';
import { filesOptions, type FilesOptions } from './schema.ts';
import { Selection } from './selection.ts';

export interface FilesAround {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly metadata?: Metadata | undefined;
  readonly max_deleted_bytes: number;
}

/** All logs of a node, or of a directory. Throws a UsageError when an option cannot be used. */
export function filesSource(name: string, options: FilesOptions, around: FilesAround): OwnSource {
  const { clock, log, env, metadata = PATH_ONLY, max_deleted_bytes } = around;
  const { start = filesOptions.properties.start.default } = options;
  const selection = new Selection(options, env);
  const discovery = new Discovery(options, selection);
  const source = `files:${name}`;
  const reading = { name: source, discovery, selection, metadata, start, max_deleted_bytes, clock, log };
  return {
    name: source,
    resumes: true,
    follows: true,
    run: (intake, stop) => new FilesReader(reading, intake, stop).run(),
  };
}

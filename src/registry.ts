import { clickhouseOptions } from './sinks/clickhouse/schema.ts';
import { elasticsearchOptions } from './sinks/elasticsearch/schema.ts';
import { filesOptions } from './sinks/files/schema.ts';
import { forwardSinkOptions } from './sinks/forward/schema.ts';
import { prometheusOptions } from './sinks/prometheus/schema.ts';
import { stdoutOptions } from './sinks/stdout/schema.ts';
import { clickhouseHttpOptions } from './sources/clickhouse-http/schema.ts';
import { fileOptions } from './sources/file/schema.ts';
import { filesOptions as logFilesOptions } from './sources/files/schema.ts';
import { forwardSourceOptions } from './sources/forward/schema.ts';
import { httpOptions } from './sources/http/schema.ts';
import { stdinOptions } from './sources/stdin/schema.ts';

/** Every component that a pipeline may name, by its type, with the schema of its options. */
export const SOURCES = {
  'clickhouse-http': clickhouseHttpOptions,
  file: fileOptions,
  files: logFilesOptions,
  forward: forwardSourceOptions,
  http: httpOptions,
  stdin: stdinOptions,
} as const;

export const SINKS = {
  clickhouse: clickhouseOptions,
  elasticsearch: elasticsearchOptions,
  prometheus: prometheusOptions,
  files: filesOptions,
  forward: forwardSinkOptions,
  stdout: stdoutOptions,
} as const;

export type SourceType = keyof typeof SOURCES;
export type SinkType = keyof typeof SINKS;

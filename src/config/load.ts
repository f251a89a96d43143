import { readFileSync } from 'node:fs';
import type { CustomEvents } from '../dialects/custom/index.ts';
import type { EventTypes } from '../event-types/index.ts';
import { errorCode, UsageError } from '../errors.ts';
import { check } from './check.ts';
import { ConfigDocument, ConfigErrors, isMapping, type Path, type Problem } from './document.ts';
import type { PipelineConfig } from './schema.ts';

/** A pipeline as its files say it. */
export interface LoadedPipeline {
  readonly config: PipelineConfig;
  /** Its events, compiled. */
  readonly events: CustomEvents | undefined;
  /** Those that it declares; undefined when it says nothing of them. */
  readonly types: EventTypes | undefined;
  /** The files, and those whose content stands in them: when one changes, the pipeline may be another. */
  readonly files: readonly string[];
  /** What they all say: equal texts are equal pipelines. */
  readonly text: string;
  /** A UsageError with the place of each problem. */
  error(problems: readonly Problem[]): UsageError;
}

/** No files: everything is as the command line says. */
export const NO_PIPELINE: LoadedPipeline = {
  config: {},
  events: undefined,
  types: undefined,
  files: [],
  text: '',
  error: (problems) => new UsageError(problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')),
};

/**
 * Reads the files of one pipeline. A later one adds to those before it, and wins: mappings are merged, everything else is replaced. Throws a
 * UsageError that says all that is wrong, with file, line and column.
 */
export function loadPipeline(
  files: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): LoadedPipeline {
  if (files.length === 0) return NO_PIPELINE;
  const documents: ConfigDocument[] = [];
  const wrong: string[] = [];
  const named: string[] = [];
  for (const file of files) {
    named.push(file);
    try {
      documents.push(new ConfigDocument(file, environment, { secret: (path) => void named.push(path) }));
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      wrong.push(...error.lines);
    }
  }
  const said = (lines: readonly string[]): UsageError =>
    Object.assign(new UsageError(lines.join('\n')), { files: named });
  if (wrong.length > 0) throw said(wrong);
  const merged = documents.map((document) => document.value() ?? {}).reduce<unknown>(merge, {});
  const of = (path: Path): ConfigDocument => documents.findLast((document) => document.has(path)) ?? documents[0]!;
  const error = (problems: readonly Problem[]): UsageError => said(problemLines(problems, of));
  const { config, problems, events, types } = check(merged, (path) => of(path).filled(path));
  if (problems.length > 0) throw error(problems);
  return {
    config,
    events,
    types,
    files: named,
    text: JSON.stringify(merged),
    error,
  };
}

/** What the files say, as they stand on the disk now; of one that cannot be read, why. */
export function readFiles(files: readonly string[]): string {
  const texts = files.map((file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      return errorCode(error) ?? 'unknown';
    }
  });
  return texts.join('\0');
}

/** `file:line:column: option: message`, in the order in which they stand. */
export function problemLines(problems: readonly Problem[], of: (path: Path) => ConfigDocument): string[] {
  const lines = problems.map(({ path, message, name }) => {
    const place = of(path).place(path, name);
    return { place, text: `${place}: ${path.length === 0 ? '' : `${path.map(String).join('.')}: `}${message}` };
  });
  const order = new Intl.Collator('en', { numeric: true });
  return lines.sort((a, b) => order.compare(a.place, b.place)).map(({ text }) => text);
}

function merge(before: unknown, after: unknown): unknown {
  if (!isMapping(before) || !isMapping(after)) return after ?? before;
  const merged: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(after)) {
    merged[name] = name in merged ? merge(merged[name], value) : value;
  }
  return merged;
}

import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { validatorOf } from '../config/check.ts';
import { ConfigDocument, ConfigErrors, type Path, type Problem } from '../config/document.ts';
import { problemsOf } from '../config/explain.ts';
import { problemLines } from '../config/load.ts';
import { errorCode } from '../errors.ts';
import { parseTime } from '../time.ts';
import { pattern } from './compare.ts';
import { testFileOptions, type Expected, type ExpectedRow, type WrittenTest, type WrittenTests } from './schema.ts';

/** Where something is written, from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A row that must come, and where it is written. */
export interface ExpectedAt {
  readonly row: ExpectedRow;
  readonly place: Place;
}

export interface PipelineTest {
  readonly name: string;
  readonly place: Place;
  /** The files of its pipeline. */
  readonly pipeline: readonly string[];
  /** All of the environment that the pipeline sees. */
  readonly environment: Readonly<Record<string, string>>;
  readonly source: string;
  readonly now_ms: number;
  readonly input: Buffer;
  readonly events: readonly ExpectedAt[];
  readonly rejections: readonly ExpectedAt[];
  readonly more: boolean;
}

const ONE = testFileOptions.properties.tests.items.properties;

/** Hashes are the same in every test; what is real is nobody's. */
const HASH_KEY = 'the key of steptap test is no secret';

/** The tests in a file, with their inputs. Throws ConfigErrors that say all that is wrong of it. */
export function loadTests(file: string): PipelineTest[] {
  // What goes in are lines of logs: `${` is no placeholder there.
  const document = new ConfigDocument(file, undefined, { named: file });
  const value = document.value();
  const validate = validatorOf(testFileOptions);
  validate(value);
  const problems = problemsOf(validate.errors ?? [], [], () => false);
  if (problems.length > 0) throw new ConfigErrors(problemLines(problems, () => document));
  const written = value as WrittenTests;
  const pipeline = pipelineOf(written, file);
  for (const each of pipeline) {
    if (!existsSync(each)) problems.push({ path: ['pipeline'], message: `${each}: there is no such file` });
  }
  const tests = written.tests.map((test, n) => loaded(test, n, pipeline, written.env, document, problems));
  if (problems.length > 0) throw new ConfigErrors(problemLines(problems, () => document));
  return tests;
}

/** The files that it names, else the one beside the tests. */
function pipelineOf({ pipeline }: WrittenTests, file: string): string[] {
  if (pipeline === undefined) return [file.replace(/\.test(?=\.ya?ml$)/, '')];
  return [pipeline].flat().map((each) => inDirectoryOf(file, each));
}

function inDirectoryOf(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}

function loaded(
  test: WrittenTest,
  n: number,
  pipeline: readonly string[],
  env: WrittenTests['env'],
  document: ConfigDocument,
  problems: Problem[],
): PipelineTest {
  const { file } = document;
  const at = ['tests', n];
  const expected = (what: 'events' | 'rejections'): ExpectedAt[] =>
    (test[what] ?? []).map((row, i) => {
      badPatterns(row, [...at, what, i], problems);
      return { row, place: placeIn(document, [...at, what, i]) };
    });
  return {
    name: test.name,
    place: placeIn(document, at),
    pipeline,
    environment: withHashKey({ ...env, ...test.env }),
    source: test.source ?? ONE.source.default,
    now_ms: clockAt(test.now ?? ONE.now.default, [...at, 'now'], problems),
    input: inputOf(test.input, file, [...at, 'input'], problems),
    events: expected('events'),
    rejections: expected('rejections'),
    more: test.more ?? ONE.more.default,
  };
}

function placeIn(document: ConfigDocument, path: Path): Place {
  const [line, column] = document
    .place(path)
    .slice(document.file.length + 1)
    .split(':');
  return { file: document.file, line: Number(line), column: Number(column) };
}

function withHashKey(environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return 'STEPTAP_HASH_KEY_FILE' in environment ? environment : { STEPTAP_HASH_KEY: HASH_KEY, ...environment };
}

/** Milliseconds since 1970; without a zone it is UTC. */
function clockAt(text: string, path: Path, problems: Problem[]): number {
  const time = parseTime(text);
  if (time === undefined)
    problems.push({ path, message: `${JSON.stringify(text)} is no time; write ${ONE.now.default}` });
  return Math.floor((time?.us ?? 0) / 1000);
}

function inputOf(input: WrittenTest['input'], file: string, path: Path, problems: Problem[]): Buffer {
  if (typeof input === 'string') return Buffer.from(input);
  if (!('file' in input)) return Buffer.from(input.map((line) => `${line}\n`).join(''));
  const full = inDirectoryOf(file, input.file);
  try {
    return readFileSync(full);
  } catch (error) {
    const code = errorCode(error);
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? 'unknown error'})`;
    problems.push({ path: [...path, 'file'], message: `${full}: ${reason}` });
    return Buffer.alloc(0);
  }
}

function badPatterns(row: Readonly<Record<string, Expected>>, path: Path, problems: Problem[]): void {
  for (const [name, wanted] of Object.entries(row)) {
    if (typeof wanted === 'object') badPatterns(wanted, [...path, name], problems);
    if (typeof wanted !== 'string') continue;
    try {
      pattern(wanted);
    } catch (error) {
      const why = (error as Error).message.split(': ').at(-1);
      const message = `${wanted} is no regular expression (${why}); put \\ before what is meant as it stands`;
      problems.push({ path: [...path, name], message });
    }
  }
}

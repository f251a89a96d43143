import { performance } from 'node:perf_hooks';
import { Command, Option } from 'commander';
import { ConfigErrors } from '../config/document.ts';
import type { DecodeOptions } from '../decode.ts';
import { UsageError } from '../errors.ts';
import { findTests } from '../pipeline-tests/find.ts';
import { loadTests, type PipelineTest } from '../pipeline-tests/load.ts';
import { runTest } from '../pipeline-tests/run.ts';
import { decoding, settingsOf } from './settings.ts';
import { jsonReport } from './test-json.ts';
import { report, type Screen } from './test-report.ts';

export function testCommand(): Command {
  return new Command('test')
    .description('Run the tests of pipelines: lines that go in, and the events that must come out. Stores nothing.')
    .argument('[file...]', 'a .test.yaml, a pipeline with one beside it, or a directory (default: ./pipelines, else .)')
    .addOption(new Option('--json', 'one JSON object a line: a test each, and the sum at the end'))
    .addHelpText(
      'after',
      `
A pipeline's tests are beside it: flytekit.test.yaml for flytekit.yaml.

  tests:
    - name: a failed step is an error
      input:
        - '{"event": "flytekit_step", "step": "fit", ...}'
      events:
        - { kind: step, step: fit, status: error, attempt: absent }

Only the fields that are named are compared. A text between slashes is a
regular expression, and absent says that it must not be there. The clock stands
still, and a pipeline sees no environment but the env of the tests.
steptap schema --tests has every key.

Exit codes: 0 all passed, 1 some failed, 2 a file is wrong or there is no test.

Examples:
  steptap test
  steptap test pipelines/flytekit.yaml
  steptap test --json pipelines > tests.ndjson`,
    )
    .action((files: readonly string[], { json = false }: { json?: boolean }) => {
      const prepared = prepare(findTests(files));
      const started = performance.now();
      const outcomes = prepared.map(({ test, options }) => runTest(test, options));
      const ms = performance.now() - started;
      process.stdout.write(`${json ? jsonReport(outcomes, ms) : report(outcomes, ms, screen())}\n`);
      process.exitCode = outcomes.every(({ failures }) => failures.length === 0) ? 0 : 1;
    });
}

/** Colours and short lines are for people, so not in pipes and files. */
function screen(): Screen {
  const { isTTY, columns } = process.stdout;
  return isTTY ? { colours: (process.env['NO_COLOR'] ?? '') === '', columns } : { colours: false, columns: undefined };
}

interface Prepared {
  readonly test: PipelineTest;
  readonly options: DecodeOptions;
}

/** All tests with what their pipelines say. Nothing is run when one file is wrong; a UsageError says all that is. */
function prepare(files: readonly string[]): Prepared[] {
  const wrong = new Set<string>();
  const prepared: Prepared[] = [];
  for (const file of files) {
    try {
      for (const test of loadTests(file)) prepared.push(...optionsOf(test, wrong));
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      for (const line of error.lines) wrong.add(line);
    }
  }
  if (wrong.size > 0) throw new UsageError([...wrong].join('\n'));
  return prepared;
}

/** The test with what its pipeline says; nothing, and what is wrong added, when that cannot be told. */
function optionsOf(test: PipelineTest, wrong: Set<string>): Prepared[] {
  const { pipeline, environment } = test;
  try {
    return [{ test, options: decoding(settingsOf({ config: pipeline }, environment), environment) }];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const line of error.message.split('\n')) {
      // The same line would come for every test of the file.
      wrong.add(line.replace(/; set it, or write (?=\$\{env:)/, '; set it under env of the tests, or write '));
    }
    return [];
  }
}

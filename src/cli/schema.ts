import { Command, Option } from 'commander';
import { pipelineSchema, testSchema } from '../config/publish.ts';

export function schemaCommand(): Command {
  return new Command('schema')
    .description('Print the JSON Schema of a pipeline, with which an editor completes, explains and checks it.')
    .addOption(new Option('--tests', 'of a file of tests instead (steptap test)').default(false))
    .addHelpText(
      'after',
      `
An editor with yaml-language-server takes it from the first line of a pipeline:

  # yaml-language-server: $schema=./pipeline.schema.json

Examples:
  steptap schema > pipeline.schema.json
  steptap schema --tests > test.schema.json`,
    )
    .action(({ tests }: { tests: boolean }) => {
      process.stdout.write(`${JSON.stringify(tests ? testSchema() : pipelineSchema(), null, 2)}\n`);
    });
}

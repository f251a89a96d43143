import { Command, Option } from 'commander';
import { loadPipeline } from '../config/load.ts';
import { UsageError } from '../errors.ts';
import { describeTypes, schemasOf } from '../event-types/describe.ts';
import { several } from './options.ts';

export function eventsCommand(): Command {
  return new Command('events')
    .description('Print the event types that a pipeline declares, as Markdown.')
    .addOption(new Option('-c, --config <file>', 'the pipeline').argParser(several))
    .addOption(new Option('--json', 'the JSON Schema of the lines of each type instead').default(false))
    .addHelpText(
      'after',
      `
Examples:
  steptap events -c pipelines/event-types.yaml > events.md
  steptap events -c pipelines/event-types.yaml --json`,
    )
    .action(({ config, json }: { config?: readonly string[]; json: boolean }) => {
      if (config === undefined) throw new UsageError('--config: name the pipeline that declares them');
      const types = [...(loadPipeline(config, process.env).types?.types.values() ?? [])];
      process.stdout.write(json ? `${JSON.stringify(schemasOf(types), null, 2)}\n` : describeTypes(types));
    });
}

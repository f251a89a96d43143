import { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { execOptions } from './exec-options.ts';

/** Explains the command, and starts it for whoever runs main.js; steptap.ts starts it without loading all of this. */
export function execCommand(): Command {
  const command = new Command('exec')
    .description('Run a command, and store the steps that it writes to standard error, which is passed through.')
    .usage('[options] -- COMMAND [ARGUMENTS]')
    .argument('[command...]');
  for (const option of execOptions()) command.addOption(option);
  return command.addHelpText('after', HELP).action(async (words: string[]) => {
    const from = process.argv.indexOf('exec') + 1;
    const at = process.argv.indexOf('--', from);
    if (at === -1 || words.length === 0)
      throw new UsageError('exec: name a command behind --, as in: steptap exec -- python train.py');
    const { exec } = await import('../exec/front.ts');
    await exec(process.argv.slice(from, at), process.argv.slice(at + 1));
  });
}

const HELP = `
The command has the standard input, output, signals and exit status that it
would have without steptap; only its standard error is a file now, not a
terminal. Whatever becomes of steptap or the stores, the command goes on.
FLYTE_TELEMETRY_CLICKHOUSE_URL is where steps are stored then, and is not passed
on, since flytekit would write them there itself. With no store and no --metrics
the command is just run.
Write >&2 in scripts: > /dev/stderr and tee /dev/stderr empty a file, and what
was in it is lost. nohup belongs behind --, as in: steptap exec -- nohup CMD.
The log is <state>/exec.log. Of commands that run at the same time, each has a
state of its own: <state>, <state>/exec-1, ...
A full spool drops its oldest rows here, and counts them.
Exit codes: those of the command; 2 an option is wrong, 126 the command cannot
be started, 127 there is no such command.

Examples:
  steptap exec --clickhouse http://clickhouse:8123 -- python train.py
  FLYTE_TELEMETRY_CLICKHOUSE_URL=http://clickhouse:8123 \\
    steptap exec -- pyflyte-execute ...
  steptap exec --elasticsearch http://search:9200 --logs none -- ./task.sh`;

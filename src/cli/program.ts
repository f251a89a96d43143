import { Command, Help } from 'commander';
import type { Log } from '../log.ts';
import { version } from '../version.ts';
import { auditCommand } from './audit.ts';
import { checkCommand } from './check.ts';
import { completionCommand } from './completion.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { ddlCommand } from './ddl.ts';
import { execCommand } from './exec.ts';
import { explainCommand } from './explain.ts';
import { queryCommand } from './query.ts';
import { runCommand } from './run.ts';
import { schemaCommand } from './schema.ts';
import { spoolCommand } from './spool.ts';
import { tapCommand } from './tap.ts';
import { testCommand } from './test.ts';

/** The command line: every command that there is, and its help. */
export function commandLine(log: Log): Command {
  const program = new Command('steptap')
    .description(
      'Tails the JSON step logs of workflow tasks (Flyte and others) and stores every step once in ClickHouse, Elasticsearch or OpenSearch, and Prometheus.',
    )
    .version(version)
    .exitOverride()
    .configureHelp({
      // That an option is not given unless it is given goes without saying.
      optionDescription: (option) =>
        option.defaultValue === false ? option.description : new Help().optionDescription(option),
    })
    .showHelpAfterError('(steptap --help explains, steptap run --help lists every option)')
    .addHelpText(
      'after',
      `
Examples:
  # into an embedded ClickHouse under ./steptap-data, which answers questions
  kubectl logs -f POD | steptap
  steptap query "SELECT step, count() FROM steps GROUP BY step"
  # into servers
  kubectl logs -f POD --prefix --timestamps |
    steptap --clickhouse http://clickhouse:8123
  steptap --input pod.log --elasticsearch http://search:9200 --metrics none

Exit codes: 0 everything was delivered, 1 something was not, 2 an option or the
configuration is wrong.`,
    );

  // Else an error in a command's options would end with commander's exit code, and without the hint.
  const adopt = (command: Command): Command => {
    for (const each of command.commands) adopt(each);
    return command.copyInheritedSettings(program);
  };
  // A word too many for `run` is a command that does not exist, or a file: it says so itself.
  program.addCommand(adopt(runCommand(log)).allowExcessArguments(), { isDefault: true });
  program.addCommand(adopt(checkCommand()));
  program.addCommand(adopt(execCommand()));
  program.addCommand(adopt(tapCommand(log)), { hidden: true });
  program.addCommand(adopt(queryCommand()));
  program.addCommand(adopt(explainCommand()));
  program.addCommand(adopt(ddlCommand(log)));
  program.addCommand(adopt(deadLettersCommand(log)));
  program.addCommand(adopt(spoolCommand()));
  program.addCommand(adopt(auditCommand(log)));
  program.addCommand(adopt(testCommand()));
  program.addCommand(adopt(schemaCommand()));
  program.addCommand(adopt(completionCommand()));
  return program;
}

import { Command, Help } from 'commander';
import type { Log } from '../log.ts';
import { version } from '../version.ts';

/** Every command that there is, in the order of the help. Each is loaded when it may be meant: all of them take 284 files, and `query` 151. */
const COMMANDS: Readonly<Record<string, (log: Log) => Promise<Command>>> = {
  run: async (log) => (await import('./run.ts')).runCommand(log),
  check: async () => (await import('./check.ts')).checkCommand(),
  exec: async () => (await import('./exec.ts')).execCommand(),
  tap: async (log) => (await import('./tap.ts')).tapCommand(log),
  tail: async () => (await import('./tail.ts')).tailCommand(),
  query: async () => (await import('./query.ts')).queryCommand(),
  summary: async (log) => (await import('./summary.ts')).summaryCommand(log),
  explain: async () => (await import('./explain.ts')).explainCommand(),
  ddl: async (log) => (await import('./ddl.ts')).ddlCommand(log),
  events: async () => (await import('./events.ts')).eventsCommand(),
  emit: async () => (await import('./emit.ts')).emitCommand(),
  'dead-letters': async (log) => (await import('./dead-letters.ts')).deadLettersCommand(log),
  spool: async () => (await import('./spool.ts')).spoolCommand(),
  audit: async (log) => (await import('./audit.ts')).auditCommand(log),
  test: async () => (await import('./test.ts')).testCommand(),
  schema: async () => (await import('./schema.ts')).schemaCommand(),
  completion: async () => (await import('./completion.ts')).completionCommand(),
};
const DEFAULT = 'run';

/** The commands that the words of a command line may mean. Help, and a shell that is to complete, are about all of them. */
function meant(words: readonly string[]): readonly string[] {
  const first = words.find((word) => word !== '--') ?? DEFAULT;
  const named = Object.hasOwn(COMMANDS, first);
  const all =
    first === 'help' || first === 'completion' || (!named && words.some((word) => /^(?:--help$|-\w*h)/.test(word)));
  if (all) return Object.keys(COMMANDS);
  return [named ? first : DEFAULT];
}

/** The command line and its help, with what the words may mean; without words, with every command that there is. */
export async function commandLine(log: Log, words?: readonly string[]): Promise<Command> {
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
  const names = words === undefined ? Object.keys(COMMANDS) : meant(words);
  const commands = await Promise.all(names.map(async (name) => COMMANDS[name]!(log)));
  for (const command of commands) {
    const isDefault = command.name() === DEFAULT;
    program.addCommand(adopt(command), { isDefault, hidden: command.name() === 'tap' });
    // A word too many for `run` is a command that does not exist, or a file: it says so itself.
    if (isDefault) command.allowExcessArguments();
  }
  return program;
}

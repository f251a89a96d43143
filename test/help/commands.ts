import type { Command } from 'commander';
import { commandLine } from '../../src/cli/program.ts';

/** A command with its help as a terminal of 80 columns shows it. */
export interface Helped {
  /** `steptap`, `steptap spool ls`. */
  readonly name: string;
  readonly help: string;
  /** The commands of its help, for a shell. */
  readonly examples: readonly string[];
}

/** Every command that there is, whoever has added it. */
export async function everyCommand(): Promise<Helped[]> {
  return under(await commandLine(() => {}), 'steptap');
}

function under(command: Command, name: string): Helped[] {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => 80,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  const visible = command.createHelp().visibleCommands(command);
  const below = command.commands.filter((each) => visible.includes(each));
  return [
    { name, help, examples: examplesOf(help) },
    ...below.flatMap((each) => under(each, `${name} ${each.name()}`)),
  ];
}

/** What stands under `Examples:`. A line that is indented further goes on with the one before; `#` begins a remark. */
function examplesOf(help: string): string[] {
  const examples: string[] = [];
  const [, ...lines] = (/\nExamples:\n((?: {2,}.*\n?)+)/.exec(help)?.[0] ?? '').split('\n').slice(1);
  for (const line of lines) {
    if (/^ {2}[^ #]/.test(line)) examples.push(line.slice(2));
    else if (/^ {3}/.test(line)) examples[examples.length - 1] += `\n${line.slice(2)}`;
  }
  return examples;
}

/** Parses a command line with the real parser, and does nothing; throws when it is none. */
export async function parse(words: readonly string[]): Promise<void> {
  const program = await commandLine(() => {}, words);
  const still = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => {});
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
    for (const each of command.commands) still(each);
  };
  still(program);
  await program.parseAsync([...words], { from: 'user' });
}

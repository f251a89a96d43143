import { Argument, Command } from 'commander';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { placesOf, type Place } from '../completion/places.ts';
import { zshScript } from '../completion/zsh.ts';

const SCRIPTS: Readonly<Record<string, (places: readonly Place[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function completionCommand(): Command {
  return new Command('completion')
    .description('Print a script that makes a shell complete commands, options and values at the Tab key.')
    .addArgument(new Argument('<shell>', 'the shell that it is for').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
A new shell has it. After an update of steptap, print it again.

Examples:
  # bash
  steptap completion bash > ~/.steptap.bash
  echo 'source ~/.steptap.bash' >> ~/.bashrc
  # zsh
  steptap completion zsh > ~/.steptap.zsh
  echo 'source ~/.steptap.zsh' >> ~/.zshrc
  # fish
  mkdir -p ~/.config/fish/completions
  steptap completion fish > ~/.config/fish/completions/steptap.fish`,
    )
    .action((shell: string, _flags: unknown, { parent }: Command) => {
      process.stdout.write(SCRIPTS[shell]!(placesOf(parent!, 'run')));
    });
}

import type { Argument, Command, Option } from 'commander';

/** What can stand for a value: some words, a file, a directory, or what nobody can guess. */
export type Value = readonly string[] | 'file' | 'directory' | 'anything';

export interface Named {
  readonly name: string;
  readonly description: string;
}

export interface Flag {
  /** `--version`, `-V`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Absent where it takes none. */
  readonly value?: Value;
}

/** A command as a shell sees it. */
export interface Place {
  /** `''`, `run`, `spool ls`. */
  readonly path: string;
  readonly commands: readonly Named[];
  readonly flags: readonly Flag[];
  /** What its arguments are; absent where it takes none. */
  readonly operand?: Value;
}

/** Every command of a program, itself first. What is no command of it is of `fallback`: there its options may stand too. */
export function placesOf(program: Command, fallback: string): Place[] {
  const [root, ...others] = placesUnder(program, '');
  const also = others.find(({ path }) => path === fallback);
  const flags = new Map([...root!.flags, ...(also?.flags ?? [])].map((flag) => [flag.names.join(), flag]));
  return [{ ...root!, flags: [...flags.values()] }, ...others];
}

function placesUnder(command: Command, path: string): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const named = commands.map((each) => ({ name: each.name(), description: brief(each.description()) }));
  const [operand] = command.registeredArguments;
  const here: Place = {
    path,
    commands: named,
    flags: help.visibleOptions(command).map(flagOf),
    ...(operand === undefined ? {} : { operand: valueOf(operand) }),
  };
  const below = commands.flatMap((each) => {
    const place = `${path} ${each.name()}`.trimStart();
    // `help` is commander's own: what it takes are the names of the others.
    if (!command.commands.includes(each)) return [{ path: place, commands: named, flags: [] }];
    return placesUnder(each, place);
  });
  return [here, ...below];
}

function flagOf(option: Option): Flag {
  const names = [option.long, option.short].filter((name) => name != null);
  const takes = option.required || option.optional;
  return { names, description: brief(option.description), ...(takes ? { value: valueOf(option) } : {}) };
}

/** The word between the brackets says what it is. */
function valueOf(of: Option | Argument): Value {
  if (of.argChoices !== undefined) return of.argChoices;
  const word = 'flags' in of ? (/[<[]([^>\]]*)/.exec(of.flags)?.[1] ?? '') : of.name();
  if (/\b(file|path)s?\b/.test(word)) return 'file';
  if (/\bdir(ectory)?\b/.test(word)) return 'directory';
  return 'anything';
}

/** The first thing that a description says. */
function brief(description: string): string {
  return description.split(/[;.:](?:\s|$)/)[0]!;
}

/** For all three shells, which quote alike but for one. */
export function quoted(text: string, shell: 'bash' | 'zsh' | 'fish'): string {
  return shell === 'fish'
    ? `'${text.replace(/[\\']/g, String.raw`\$&`)}'`
    : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** What a shell compares the words so far with, to see that they name a command. */
export function stepsOf(places: readonly Place[], quote: (text: string) => string): string[] {
  return places.filter(({ path }) => path !== '').map(({ path }) => quote(path.includes(' ') ? path : ` ${path}`));
}

/** The branches of a `case` for each option with a value: `given` says how that is completed. */
export function valuesOf(
  places: readonly Place[],
  quote: (text: string) => string,
  given: (value: Value) => string,
): string[] {
  return places.flatMap(({ path, flags }) =>
    flags.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : [`    ${names.map((name) => quote(`${path} ${name}`)).join('|')}) ${given(value)}; return ;;`],
    ),
  );
}

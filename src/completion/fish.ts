import { quoted, type Flag, type Place, type Value } from './places.ts';

const q = (text: string): string => quoted(text, 'fish');

/** A completion script for fish 3 and later. */
export function fishScript(places: readonly Place[]): string {
  const steps = places.filter(({ path }) => path !== '').map(({ path }) => q(path.includes(' ') ? path : ` ${path}`));
  const rules = places.flatMap(({ path, commands, flags, operand }) => [
    ...commands.map(({ name, description }) => rule('before', path, `-a ${name} -d ${q(description)}`)),
    ...flags.map((flag) => rule('in', path, flagged(flag))),
    ...(operand === undefined || operand === 'anything' ? [] : [rule('in', path, given(operand))]),
  ]);
  return `# Completion of steptap for fish; steptap completion --help says where to put it.

# The command that the words before the cursor name; in --before nothing when there are others behind it.
function __steptap_place
    set -l words (commandline -opc)
    set -l place ''
    set -l at 2
    while test $at -le (count $words)
        switch "$place $words[$at]"
            case ${steps.join(' ')}
                set place (string trim -- "$place $words[$at]")
            case '*'
                contains -- --before $argv; and return 1
                break
        end
        set at (math $at + 1)
    end
    echo $place
end
function __steptap_in
    test (__steptap_place)x = "$argv"x; and not contains -- -- (commandline -opc)
end
function __steptap_before
    set -l place (__steptap_place --before); and test "$place" = "$argv"
end

complete -c steptap -f
complete -c steptap -n 'contains -- -- (commandline -opc)' -F
${rules.join('\n')}
`;
}

function rule(where: 'in' | 'before', path: string, what: string): string {
  return `complete -c steptap -n ${q(`__steptap_${where} ${q(path)}`)} ${what}`;
}

function flagged({ names, description, value }: Flag): string {
  const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  return `${spelt} -d ${q(description)}${value === undefined ? '' : ` ${given(value)}`}`;
}

function given(value: Value): string {
  if (value === 'anything') return '-x';
  if (value === 'file') return '-r -F';
  if (value === 'directory') return `-x -a '(__fish_complete_directories)'`;
  return `-x -a ${q(value.join(' '))}`;
}

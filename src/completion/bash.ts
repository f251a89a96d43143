import { quoted, stepsOf, valuesOf, type Place, type Value } from './places.ts';

const q = (text: string): string => quoted(text, 'bash');
const lines = (words: readonly string[]): string => `$'${words.join(String.raw`\n`).replaceAll("'", String.raw`\'`)}'`;

/** A completion script for bash 4 and later; bash-completion is not needed. */
export function bashScript(places: readonly Place[]): string {
  const steps = stepsOf(places, q);
  const values = valuesOf(places, q, given);
  const words = places.map(({ path, commands, flags, operand }) => {
    const options = `options=${lines(flags.flatMap(({ names }) => names))}`;
    const below = commands.length === 0 ? '' : `; commands=${lines(commands.map(({ name }) => name))}`;
    const operands = operand === undefined ? '' : `; operand=${q(given(operand))}`;
    return `    ${q(path)}) ${options}${below}${operands} ;;`;
  });
  return `# Completion of steptap for bash; steptap completion --help says where to put it.
_steptap() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} place='' at=1 options='' commands='' operand='' word IFS=$'\\n'
  # --sync=group is three words.
  if [[ $cur == '=' ]]; then cur=''
  elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  while (( at < COMP_CWORD )); do
    case "$place \${COMP_WORDS[at]}" in
      ${steps.join('|')}) place="\${place:+$place }\${COMP_WORDS[at]}"; at=$((at + 1)) ;;
      *) break ;;
    esac
  done
  for word in "\${COMP_WORDS[@]:at:COMP_CWORD-at}"; do
    # Behind it stands a command of somebody else.
    if [[ $word == -- ]]; then compopt -o default; return; fi
  done
  case "$place $prev" in
${values.join('\n')}
  esac
  case "$place" in
${words.join('\n')}
  esac
  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif (( at == COMP_CWORD )) && [[ -n $commands ]]; then COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  elif [[ -n $operand ]]; then eval "$operand"
  else COMPREPLY=($(compgen -W "$options" -- "$cur"))
  fi
}
complete -F _steptap steptap
`;
}

function given(value: Value): string {
  if (value === 'anything') return ':';
  if (value === 'file') return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))';
  if (value === 'directory') return 'compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur"))';
  return `COMPREPLY=($(compgen -W ${lines(value)} -- "$cur"))`;
}

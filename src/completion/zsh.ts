import { quoted, stepsOf, valuesOf, type Named, type Place, type Value } from './places.ts';

const q = (text: string): string => quoted(text, 'zsh');

/** A completion script for zsh, to be sourced, or to be called `_steptap` in a directory of fpath. */
export function zshScript(places: readonly Place[]): string {
  const steps = stepsOf(places, q);
  const values = valuesOf(places, q, given);
  const words = places.map(({ path, commands, flags, operand }) => {
    const options = flags.flatMap(({ names, description }) => names.map((name) => ({ name, description })));
    const below = commands.length === 0 ? '' : `; commands=(${described(commands)})`;
    const operands = operand === undefined ? '' : `; operand=${q(given(operand))}`;
    return `    ${q(path)}) options=(${described(options)})${below}${operands} ;;`;
  });
  return `#compdef steptap
# Completion of steptap for zsh; steptap completion --help says where to put it.
_steptap() {
  local place='' prev=$words[CURRENT-1] operand='' word
  local -a options commands
  integer at=2
  # --sync=group is one word.
  if [[ $PREFIX == --*=* ]]; then prev=\${PREFIX%%=*}; compset -P '*='; fi
  while (( at < CURRENT )); do
    case "$place $words[at]" in
      (${steps.join('|')}) place="\${place:+$place }$words[at]"; at=$((at + 1)) ;;
      (*) break ;;
    esac
  done
  for word in "\${(@)words[at,CURRENT-1]}"; do
    # Behind it stands a command of somebody else.
    if [[ $word == -- ]]; then _files; return; fi
  done
  case "$place $prev" in
${values.join('\n')}
  esac
  case "$place" in
${words.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then _describe -o option options
  elif (( at == CURRENT && $#commands )); then _describe command commands
  elif [[ -n $operand ]]; then eval $operand
  else _describe -o option options
  fi
}
if [[ $funcstack[1] == _steptap ]]; then
  _steptap "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _steptap steptap
fi
`;
}

function described(items: readonly Named[]): string {
  return items.map(({ name, description }) => q(`${name.replaceAll(':', String.raw`\:`)}:${description}`)).join(' ');
}

function given(value: Value): string {
  if (value === 'anything') return ':';
  if (value === 'file') return '_files';
  if (value === 'directory') return '_files -/';
  return `compadd -- ${value.map(q).join(' ')}`;
}

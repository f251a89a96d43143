import { members, valueText } from '../../json.ts';

/** What is deeper, or more, stays JSON. */
const DEEPEST = 8;
const MOST = 500;

/**
 * Every value of an object that is none itself, as it was written, by its keys with dots between them. `whole`: keys whose objects are not taken apart. Lexical: numbers keep
 * their digits.
 */
export function leavesOf(json: string, whole: (key: string) => boolean): Map<string, string> {
  const leaves = new Map<string, string>();
  const walk = (text: string, prefix: string, depth: number): void => {
    for (const [name, value] of members(text)) {
      const key = prefix === '' ? name : `${prefix}.${name}`;
      const open = value.startsWith('{') && depth < DEEPEST && leaves.size < MOST && !whole(key);
      if (open) walk(value, key, depth + 1);
      else leaves.set(key, value);
    }
  };
  walk(json, '', 1);
  return leaves;
}

/** The JSON text at a path of keys; `{}` where there is none. */
export function jsonAt(json: string, path: readonly string[]): string {
  let at: string | undefined = json;
  for (const key of path) at = members(at ?? '').get(key);
  return at ?? '{}';
}

/** The inputs of a run as one object of names and values: of a step's its title before the name, where one is said. `json` is `parameters` of a pipeline run. */
export function inputsOf(json: string): string {
  const inputs: string[] = [];
  for (const [step, said] of members(json)) {
    if (!said.startsWith('{')) continue;
    const own = members(said);
    const title = valueText(jsonAt(own.get('step') ?? '{}', ['title'])) ?? step;
    for (const [name, value] of members(own.get('parameters') ?? '{}')) {
      const full = step === 'pipeline_parameters' ? name : `${title === '{}' ? step : title}.${name}`;
      inputs.push(`${JSON.stringify(full)}:${value}`);
    }
  }
  return inputs.length === 0 ? '' : `{${inputs.join(',')}}`;
}

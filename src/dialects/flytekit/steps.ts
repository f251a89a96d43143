/**
 * Names of steps. flytekit mixes snake_case and sentences, and puts URIs into two of them; users write what they like.
 * The normalised name is of low cardinality and fit for a metric label; the name as written is kept beside it.
 */
export interface StepName {
  /** Normalised: `download_data`. */
  readonly step: string;
  /** What was cut off: `s3://bucket/...`; `''` if nothing was. */
  readonly target: string;
}

/**
 * Every step that flytekit times today whose name is not already its normalised one (flytekit/core, flytekit/bin, with the telemetry fork).
 * `load_task` encloses `Load task`, and `task_dispatch_execute` encloses `dispatch execute`: they stay apart, or time would count twice.
 * `execute_user_code` is what the telemetry's own documentation calls `Execute user level code`.
 */
const ALIASES = new Map([
  ['Download distribution', 'download_distribution'],
  ['Load task', 'load_task_module'],
  ['Load map task', 'load_map_task'],
  ['Load airflow task', 'load_airflow_task'],
  ['Translate literal to python value', 'translate_literal_to_python_value'],
  ['AsyncTranslate literal to python value', 'async_translate_literal_to_python_value'],
  ['Execute user level code', 'execute_user_code'],
  ['dispatch execute', 'dispatch_execute'],
  ['Translate the output to literals', 'translate_output_to_literals'],
]);

/** Already normal. */
const PLAIN_STEPS = [
  'load_task',
  'download_inputs',
  'deserialize_inputs',
  'task_dispatch_execute',
  'pre_execute',
  'post_execute',
  'write_decks',
  'output_offloading',
  'upload_outputs',
  'output_deck',
];

/** The two steps whose names end in a URI: what stands before it, and the normalised name. */
export const WITH_TARGET: readonly (readonly [string, string])[] = [
  ['Download data to local from ', 'download_data'],
  ['Upload data to ', 'upload_data'],
];

/** The steps that flytekit itself times, by their normalised names. */
export const FLYTEKIT_STEPS: ReadonlySet<string> = new Set([
  ...ALIASES.values(),
  ...PLAIN_STEPS,
  ...WITH_TARGET.map(([, step]) => step),
]);

/** A decorator on a coroutine function times only its creation: always some microseconds, never the work. */
export const ARTEFACT_STEP = 'async_translate_literal_to_python_value';

const LONGEST = 128;
const URI = /(?:^|\s)([a-zA-Z][a-zA-Z0-9+.-]{0,30}:\/\/\S+)/;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
/** Eight hex digits or more, with a digit among them; or a Flyte execution id, which is `a` or `f` and 19 more. */
const HEX = /\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi;
const EXECUTION = /\b[afr](?=[a-z]*\d)[a-z0-9]{19}\b/g;
const DIGITS = /\d+/g;

/** True for the two steps that flytekit ends with a URI. */
export function hasTarget(raw: string): boolean {
  return WITH_TARGET.some(([prefix]) => raw.startsWith(prefix));
}

/** The normalised name of a step as it was written. */
export function nameStep(raw: string): StepName {
  for (const [prefix, step] of WITH_TARGET) {
    if (raw.startsWith(prefix)) return { step, target: raw.slice(prefix.length).trim() };
  }
  const alias = ALIASES.get(raw);
  if (alias !== undefined) return { step: alias, target: '' };
  if (FLYTEKIT_STEPS.has(raw)) return { step: raw, target: '' };
  return nameUserStep(raw);
}

/** What was done to a name as it was written, for people; undefined where nothing was. */
export function namingRule(raw: string, { step, target }: StepName): string | undefined {
  if (step === raw) return undefined;
  if (ALIASES.has(raw)) return 'a step of flytekit, under its short name';
  if (FLYTEKIT_STEPS.has(step) && hasTarget(raw)) return 'a step of flytekit: the URI is cut off';
  const done: string[] = [];
  if (target !== '') done.push('the URI is cut off');
  if (step.includes('<id>')) done.push('identifiers become <id>');
  if (step.includes('<n>')) done.push('digits become <n>');
  return done.length === 0 ? 'blanks and length are made regular' : done.join(', ');
}

/** The same of a step that is not one of flytekit's. */
export function nameUserStep(raw: string): StepName {
  const target = URI.exec(raw.slice(0, 4096))?.[1] ?? '';
  const text = target === '' ? raw : raw.replace(target, ' ');
  const step = text
    .slice(0, 4 * LONGEST)
    .replace(UUID, '<id>')
    .replace(EXECUTION, '<id>')
    .replace(HEX, '<id>')
    .replace(DIGITS, '<n>')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, LONGEST);
  return { step: step === '' ? (target === '' ? 'unnamed' : '<uri>') : step, target };
}

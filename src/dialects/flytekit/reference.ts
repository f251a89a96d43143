import { joinMembers, quote } from '../../bytes.ts';
import { members, valueText } from '../../json.ts';
import type { Observer } from '../../observer.ts';
import type { Privacy } from '../../privacy/index.ts';
import { parseTime } from '../../time.ts';
import type { Line } from '../dialect.ts';
import type { Times, When } from '../when.ts';
import type { StepFields } from './compose.ts';
import type { Identities } from './identities.ts';
import { executionName, notOutside } from './identity.ts';
import { OWN_KEYS, TRANSPORT_KEYS } from './keys.ts';
import { paramsObject } from './params.ts';
import { stepProblem } from './schema.ts';

/** The fields of a step that are read from one of its keys, beside its time: field and key. */
const READ = {
  step: 'step',
  step_raw: 'step',
  status: 'status',
  wall_time_s: 'wall_time_s',
  process_time_s: 'process_time_s',
  error_type: 'error_type',
  execution_id: 'execution_id',
  task: 'task_name',
  project: 'project',
  domain: 'domain',
  task_project: 'project',
  task_domain: 'domain',
  params: 'params',
} as const;

/** True for an object that says it is a step, right or wrong. */
export function claimsStep(value: Record<string, unknown>): boolean {
  return value['event'] === 'flytekit_step';
}

/** True for text that is no JSON but says so. */
export function textClaimsStep(text: string): boolean {
  return /(?<!\\)"event"\s{0,8}:\s{0,8}"flytekit_step"/.test(text);
}

/**
 * The reference decoder: says what a line that claims to be a step means. `value` is what parseObject made of `text`. Gives the reason why it is
 * none, or undefined with `fields` filled.
 */
export function readReference(
  value: Record<string, unknown>,
  text: string,
  line: Line,
  fields: StepFields,
  times: Times,
  identities: Identities,
  privacy: Privacy,
  /** The object is a transport's record: its own keys are not the producer's. */
  wrapped: boolean,
): string | undefined {
  const problem = stepProblem(value);
  if (problem !== undefined) return problem;
  const raw = members(text);
  const string = (name: string): string => (typeof value[name] === 'string' ? value[name] : '');
  if (privacy.tell !== undefined) tellRead(value, privacy.tell);
  const { when, original } = stepTime(value, line, times);
  fields.ts_us = when.us;
  fields.ts_from = when.from;
  fields.step = string('step');
  fields.status = value['status'] as 'success' | 'error';
  fields.error_type = fields.status === 'error' ? string('error_type') : '';
  fields.wall_time_s = seconds(raw.get('wall_time_s')!);
  fields.process_time_s = seconds(raw.get('process_time_s')!);
  fields.identity = identities.of(string('execution_id'), string('task_name'), string('project'), string('domain'));
  const params = raw.get('params');
  fields.params = params === undefined || params === 'null' ? '' : paramsObject(valueText(params)!, privacy);
  fields.lines = line.lines;
  const attributes: [string, string][] = [];
  const add = (name: string, text: string): void => {
    const told = privacy.attribute(name, text);
    if (told !== undefined) attributes.push([name, quote(told)]);
  };
  for (const [name, json] of raw) {
    // An extra may have taken the place of one of flytekit's own keys; then it is kept here.
    if ((OWN_KEYS.has(name) && !isExtra(name, value)) || (wrapped && TRANSPORT_KEYS.has(name))) continue;
    const text = valueText(json);
    if (text !== undefined) add(name, text);
    if (OWN_KEYS.has(name))
      privacy.tell?.note('rule', 'not as flytekit writes it: an extra of the user, kept as an attribute', name);
  }
  if (original !== undefined) add('ts_original', original);
  fields.attributes = joinMembers(attributes);
  return undefined;
}

/** A number as it was written, or as JavaScript writes it: Elasticsearch refuses a row with a number of more than 1,000 characters. */
function seconds(json: string): string {
  return json.length <= 64 ? json : String(Number(json));
}

function tellRead(value: Record<string, unknown>, tell: Observer): void {
  for (const [field, key] of Object.entries(READ)) tell.from(field, { key });
  tell.from('ts', { key: typeof value['asctime'] === 'string' ? 'asctime' : 'timestamp' });
  tell.from('ts_start', 'ts less wall_time_s');
  tell.from('attributes', 'line: every other key');
  const outside: string[] = [];
  for (const name of IDENTITY_KEYS) {
    const said = value[name];
    if (typeof said !== 'string' || said === '') continue;
    const absent = name === 'execution_id' ? executionName(said) : notOutside(said);
    if (absent === '') outside.push(name);
    else if (absent !== said) tell.note('rule', 'the name is taken out of the text of its object', name);
  }
  if (outside.length > 0)
    tell.note('rule', `written outside of a task, and taken as absent: ${outside.join(', ')}`, 'local');
}

const IDENTITY_KEYS = new Set(['execution_id', 'task_name', 'project', 'domain']);

/** True for one of flytekit's own names where flytekit would not have written it. */
function isExtra(name: string, value: Record<string, unknown>): boolean {
  if (name === 'error_type') return value['status'] === 'success';
  // On stderr the time is in `asctime`.
  if (name === 'timestamp') return typeof value['asctime'] === 'string';
  return IDENTITY_KEYS.has(name) && typeof value[name] !== 'string';
}

/** `asctime` on stderr: local, without a zone. `timestamp` on the ClickHouse path: UTC. */
function stepTime(
  value: Record<string, unknown>,
  line: Line,
  times: Times,
): { when: When; original: string | undefined } {
  const { asctime, timestamp } = value;
  const written = typeof asctime === 'string' ? asctime : typeof timestamp === 'string' ? timestamp : undefined;
  if (written === undefined) return { when: times.ofNone(line.time), original: undefined };
  const parsed = parseTime(written);
  const us = parsed?.us ?? Number.NaN;
  const utc = parsed?.zoned === true || typeof asctime !== 'string';
  const when = times.of({ us, zoned: utc }, line.time);
  return { when, original: when.from === 'line' ? undefined : written };
}

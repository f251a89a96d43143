import type { Tuple } from '../../batch.ts';
import { quote } from '../../bytes.ts';
import type { Observer } from '../../observer.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime, storable } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import type { Identity } from '../flytekit/identity.ts';
import { nameUserStep, type StepName } from '../flytekit/steps.ts';
import { attributesOf } from '../log/compose.ts';
import type { When } from '../when.ts';

/** A timer as the line says it. `own`: all of its keys, their values as text. */
export interface Timer {
  readonly when: When;
  readonly name: string;
  /** As it was written. */
  readonly wall_time_s: string;
  readonly own: ReadonlyMap<string, string>;
  readonly lines: number;
}

/** What is said in columns, or says nothing of the step: its message repeats it, with fewer digits. */
const COLUMNS = ['level', 'logger', 'message', 'metric_type', 'metric_name', 'duration_seconds'];

/** The controller times each action that it submits, under the action's own name. */
const SUBMIT = 'controller-submit-';

/** Why it is no timer after all. */
export function timerProblem(value: Readonly<Record<string, unknown>>): string | undefined {
  const { metric_name, duration_seconds } = value;
  if (typeof metric_name !== 'string' || metric_name === '') return 'metric_name must be a text that is not empty';
  const seconds = typeof duration_seconds === 'number' && Number.isFinite(duration_seconds) && duration_seconds >= 0;
  return seconds ? undefined : 'duration_seconds must be a number of seconds, 0 or more';
}

export function tellTimer(tell: Observer): void {
  for (const field of ['step', 'step_raw', 'step_target']) tell.from(field, { key: 'metric_name' });
  tell.from('wall_time_s', { key: 'duration_seconds' });
  tell.from('ts', { key: 'timestamp' });
  tell.from('ts_start', 'ts less wall_time_s');
  tell.from('attributes', 'line: every other key');
}

export function timerRow(
  { when, name: raw, wall_time_s, own, lines }: Timer,
  identity: Identity,
  /** The columns of the pod. */
  origin: string,
  privacy: Privacy,
): { row: string; tuple: Tuple; duration: number } {
  const duration = Number(wall_time_s);
  const told = privacy.text(raw);
  const { step, target } = nameTimer(told);
  const start_us = when.us - Math.round(duration * 1e6);
  let row = `{"ts":"${formatTime(when.us)}"`;
  if (storable(start_us)) row += `,"ts_start":"${formatTime(start_us)}"`;
  row += `,"dialect":"flyte2","event":"flyte2_timer","kind":"step","step":${quote(step)},"step_raw":${quote(told)}`;
  if (target !== '') row += `,"step_target":${quote(target)}`;
  row += `,"status":"unknown","wall_time_s":${wall_time_s.length <= 64 ? wall_time_s : duration}`;
  row += identity.fragment + origin;
  const rest = new Map([...own].filter(([name]) => !COLUMNS.includes(name) || privacy.marks(name)));
  const attributes = attributesOf(rest, privacy);
  if (attributes !== '') row += `,"attributes":{${attributes}}`;
  if (lines !== 1) row += `,"lines":${lines}`;
  const from = when.from === 'line' ? '' : `ts:${when.from}`;
  const provenance = [from, identity.provenance].filter((part) => part !== '').join(',');
  if (provenance !== '') row += `,"provenance":"${provenance}"`;
  const { project, domain, task, workflow } = identity;
  const labels = { step, status: 'unknown', project, domain, task, workflow };
  return { row: `${row}}`, tuple: tupleOf({ dialect: 'flyte2', kind: 'step', ...labels }), duration };
}

function nameTimer(raw: string): StepName {
  if (raw.startsWith(SUBMIT)) return { step: SUBMIT.slice(0, -1), target: raw.slice(SUBMIT.length) };
  return nameUserStep(raw);
}

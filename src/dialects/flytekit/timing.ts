import { quote } from '../../bytes.ts';
import type { Tuple } from '../../batch.ts';
import type { Observer } from '../../observer.ts';
import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime, storable } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import { attributesOf } from '../log/compose.ts';
import type { Level } from '../log/level.ts';
import type { When } from '../when.ts';
import { FLYTEKIT, KIND, LONGEST_KEPT, type StepComposer } from './compose.ts';
import { UNKNOWN_LINE } from './identity.ts';

/*
 * Without telemetry flytekit tells a step's time in a line of its own logger, when that prints INFO: `Load task. [Time: 1.216204s]`. It does so whether the step failed or not, so that the
 * status is unknown, and says nothing of its work, which the pod does.
 *
 * With telemetry it prints both, this line first and the step right behind it, with the same name and the same digits. So a timing waits for its step: if that comes the timing is an
 * ordinary log, since the step says all of it; if not, because there is no telemetry or because it was lost, the timing is the step. It waits until eight more wait behind it, or a second
 * of reading has passed, or the input ends. Lines of other threads may come between.
 */

/** A line that may become a step; with the position, as JSON. */
export interface Timing {
  readonly when: When;
  readonly message: string;
  readonly level?: Level | undefined;
  readonly logger?: string | undefined;
  readonly attributes: [string, string][];
  readonly lines: number;
}

/** Of one stream. */
export const MOST_WAITING = 8;

const TIMING = /^([^]+)\. \[Time: ((?:0|[1-9]\d{0,11})\.\d{6})s\]$/;

/** The name and the seconds, as they are written. */
export function readTiming(message: string): { step: string; wall_time_s: string } | undefined {
  if (!message.endsWith('s]') || message.length > LONGEST_KEPT) return undefined;
  const [, step, wall_time_s] = TIMING.exec(message) ?? [];
  return step === undefined || wall_time_s === undefined ? undefined : { step, wall_time_s };
}

/** True when the step says the same. */
export function isOf({ message }: Timing, step: unknown, wall_time_s: unknown): boolean {
  const said = readTiming(message)!;
  return said.step === step && Number(said.wall_time_s) === wall_time_s;
}

export function tellTiming(tell: Observer): void {
  tell.note('dialect', 'tells how long a step took, and no step says so', 'flytekit');
  for (const field of ['step', 'step_raw', 'wall_time_s']) tell.from(field, 'line: X. [Time: ..s]');
  tell.from('ts_start', 'ts less wall_time_s');
  tell.from('status', 'dialect');
}

/** The row of a timing that no step came for. */
export function timingRow(
  { when, message, attributes, lines }: Timing,
  origin: Origin,
  composer: StepComposer,
  privacy: Privacy,
): { row: string; tuple: Tuple; duration: number } {
  const said = readTiming(message)!;
  const duration = Number(said.wall_time_s);
  const name = composer.name(said.step);
  const { identity } = composer.settle(UNKNOWN_LINE, origin, name.target);
  const start_us = when.us - Math.round(duration * 1e6);
  let row = `{"ts":"${formatTime(when.us)}"`;
  if (storable(start_us)) row += `,"ts_start":"${formatTime(start_us)}"`;
  const named = name.fragment.slice(KIND.length);
  row += `,"dialect":"flytekit","event":"flytekit_timing","kind":"step"${named}"unknown","wall_time_s":${said.wall_time_s}`;
  row += identity.fragment + origin.of(FLYTEKIT);
  const told = [name.attribute, attributesOf(new Map(attributes), privacy)].filter((part) => part !== '').join(',');
  if (told !== '') row += `,"attributes":{${told}}`;
  if (lines !== 1) row += `,"lines":${lines}`;
  const from = when.from === 'line' ? '' : `ts:${when.from}`;
  const provenance = [from, identity.provenance].filter((part) => part !== '').join(',');
  if (provenance !== '') row += `,"provenance":${quote(provenance)}`;
  const { project, domain, task, workflow } = identity;
  const labels = { step: name.step, status: 'unknown', project, domain, task, workflow };
  return { row: `${row}}`, tuple: tupleOf({ dialect: 'flytekit', kind: 'step', ...labels }), duration };
}

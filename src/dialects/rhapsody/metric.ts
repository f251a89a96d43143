import type { Line } from '../dialect.ts';
import type { Times } from '../when.ts';
import { isBare, type Value } from './base.ts';
import { NOTHING, type Commons } from './common.ts';
import { headOf, type Said } from './compose.ts';
import type { Reading } from './reading.ts';
import type { Session } from './sessions.ts';
import type { Written } from './written.ts';

const HEAD = headOf('metrics', 'custom', '');
const TAKEN: ReadonlySet<string> = new Set(['checkpoint_time', 'section']);

export function isMetric(value: Value): boolean {
  return value['section'] === 'metric' && 'checkpoint_time' in value;
}

/** Why it is no snapshot all the same, without its values. */
export function metricProblem(value: Value, written: Written): string | undefined {
  const known = typeof value['checkpoint_time'] === 'number' || isBare('checkpoint_time', value, written);
  return known ? undefined : 'checkpoint_time must be a number';
}

/**
 * A snapshot of the session's instruments, each an attribute as it was written. They are kept and not measured by: the gauge of running tasks goes below zero when one is canceled before it
 * starts, those of nodes are sums over all nodes, and tasks and resources say the same truthfully. The line names no session; it is that of its stream.
 */
export function readMetric(reading: Reading, line: Line, times: Times, commons: Commons, session: Session): Said {
  const { session_id } = session;
  return {
    when: reading.when('checkpoint_time', line.time, times),
    head: HEAD,
    common: commons.make({ ...NOTHING, session_id }, line.origin, session_id !== ''),
    start_us: Number.NaN,
    wall_time_s: '',
    error_type: '',
    depends_on: [],
    resources: '',
    attributes: reading.attributes(TAKEN, TAKEN),
  };
}

import type { Times } from '../when.ts';
import { isBare, type Value } from './base.ts';
import type { Said } from './compose.ts';
import type { Reading } from './reading.ts';
import type { Session } from './sessions.ts';
import type { Written } from './written.ts';

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
export function readMetric(reading: Reading, runtime: string, times: Times, session: Session): Said {
  const when = reading.when('checkpoint_time', runtime, times);
  return {
    when,
    start_us: Number.NaN,
    event: 'metrics',
    kind: 'custom',
    status: '',
    wall_time_s: '',
    error_type: '',
    about: { task: '', node_id: '', task_id: '', session_id: session.session_id, workflow_id: '' },
    ownSession: false,
    backend: '',
    depends_on: [],
    trace_id: '',
    span_id: '',
    parent_span_id: '',
    resources: '',
    attributes: reading.attributes(TAKEN, TAKEN),
  };
}

import type { Tuple } from '../../batch.ts';
import { joinMembers, quote } from '../../bytes.ts';
import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime, storable } from '../../time.ts';
import { labelsAmong, NO_LABELS, tupleOf } from '../../tuples.ts';
import { settle } from '../flytekit/identity.ts';
import { paramsObject } from '../flytekit/params.ts';
import { nameUserStep } from '../flytekit/steps.ts';
import type { CustomEvent } from './event.ts';
import type { Said } from './read.ts';
import type { Column } from './schema.ts';

export interface Composed {
  readonly table: 'steps' | 'events';
  /** Byte string. */
  readonly row: string;
  readonly tuple: Tuple;
  readonly duration: number;
}

/** The row of an event. `labels`: of all events, since the histogram is one. */
export function composeEvent(
  { name, kind }: CustomEvent,
  { when, columns, attributes }: Said,
  lines: number,
  origin: Origin,
  labels: readonly string[],
  privacy: Privacy,
): Composed {
  const told = (column: Column): string => privacy.text(columns[column] ?? '');
  const or = (text: string, other: string): string => (text === '' ? other : text);
  const raw = told('step');
  const { step, target } = raw === '' ? { step: kind === 'step' ? name : '', target: '' } : nameUserStep(raw);
  // It may have been cut within a character.
  const named = { step: step.toWellFormed(), target };
  const error_type = told('error_type');
  const status = or(columns.status ?? '', statusOf(kind, error_type));
  const error_kind = columns.error_kind ?? '';
  const root_error_type = told('root_error_type');
  const identity = settle(
    {
      execution_id: told('execution_id'),
      workflow: told('workflow'),
      task: told('task'),
      task_version: told('task_version'),
      node_id: told('node_id'),
      attempt: columns.attempt,
      map_index: columns.map_index,
      project: told('project'),
      domain: told('domain'),
      task_project: told('task_project'),
      task_domain: told('task_domain'),
    },
    origin,
  );
  const { wall_time_s = '', process_time_s = '' } = columns;
  const duration = wall_time_s === '' ? Number.NaN : Number(wall_time_s);
  const start_us = when.us - Math.round(duration * 1e6);
  const params = columns.params === undefined ? '' : paramsObject(columns.params, privacy);

  let row = `{"ts":"${formatTime(when.us)}"`;
  const json = (column: string, value: string): void => {
    if (value !== '') row += `,"${column}":${value}`;
  };
  const text = (column: string, value: string): void => json(column, value === '' ? '' : quote(value));
  if (storable(start_us)) text('ts_start', formatTime(start_us));
  text('dialect', 'custom');
  text('event', or(told('event'), name));
  text('kind', kind);
  text('step', named.step);
  text('step_raw', raw);
  text('step_target', named.target);
  text('status', status);
  json('wall_time_s', wall_time_s);
  json('process_time_s', process_time_s);
  text('error_type', error_type);
  text('root_error_type', root_error_type);
  text('error_kind', error_kind);
  row += identity.fragment + origin.fragment;
  text('level', columns.level ?? '');
  text('message', told('message'));
  text('logger', told('logger'));
  json('params', params);
  if (attributes.size > 0) json('attributes', `{${joinMembers(quoted(attributes))}}`);
  if (lines !== 1) json('lines', String(lines));
  text('provenance', [when.from === 'line' ? '' : `ts:${when.from}`, identity.provenance].filter(Boolean).join(','));

  const { project, domain, task, workflow } = identity;
  const known = { project, domain, task, workflow, error_kind, root_error_type };
  const user = kind === 'step' ? labelsAmong(attributes, labels) : NO_LABELS;
  const tuple = tupleOf({ dialect: 'custom', kind, step: named.step, status, ...known, user });
  return { table: kind === 'step' ? 'steps' : 'events', row: `${row}}`, tuple, duration };
}

function statusOf(kind: CustomEvent['kind'], error_type: string): string {
  if (kind === 'error') return 'error';
  if (kind !== 'step') return '';
  return error_type === '' ? 'success' : 'error';
}

function* quoted(attributes: ReadonlyMap<string, string>): Iterable<[string, string]> {
  for (const [name, value] of attributes) yield [name, quote(value)];
}

import type { Tuple } from '../../batch.ts';
import { joinMembers, quote } from '../../bytes.ts';
import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime, storable } from '../../time.ts';
import { labelsAmong, NO_LABELS, tupleOf } from '../../tuples.ts';
import { settle, type Identity } from '../flytekit/identity.ts';
import { paramsObject } from '../flytekit/params.ts';
import { nameUserStep, type StepName } from '../flytekit/steps.ts';
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
  const raw = told('step');
  const { step, target } = nameStep(raw, kind === 'step' ? name : '');
  const error_type = told('error_type');
  const status = columns.status || statusOf(kind, error_type);
  const { wall_time_s = '', process_time_s = '', error_kind = '', level = '' } = columns;
  const root_error_type = told('root_error_type');
  const identity = identityOf(columns, told, origin);
  const duration = wall_time_s === '' ? Number.NaN : Number(wall_time_s);
  const start_us = when.us - Math.round(duration * 1e6);

  let row = `{"ts":"${formatTime(when.us)}"`;
  const json = (column: string, value: string): void => {
    if (value !== '') row += `,"${column}":${value}`;
  };
  const text = (column: string, value: string): void => json(column, value === '' ? '' : quote(value));
  if (storable(start_us)) text('ts_start', formatTime(start_us));
  text('dialect', 'custom');
  text('event', told('event') || name);
  text('kind', kind);
  text('step', step);
  text('step_raw', raw);
  text('step_target', target);
  text('status', status);
  json('wall_time_s', wall_time_s);
  json('process_time_s', process_time_s);
  text('error_type', error_type);
  text('root_error_type', root_error_type);
  text('error_kind', error_kind);
  row += identity.fragment + origin.fragment;
  text('level', level);
  text('message', told('message'));
  text('logger', told('logger'));
  if (columns.params !== undefined) json('params', paramsObject(columns.params, privacy));
  if (attributes.size > 0) json('attributes', `{${joinMembers(quoted(attributes))}}`);
  if (lines !== 1) json('lines', String(lines));
  text('provenance', [when.from === 'line' ? '' : `ts:${when.from}`, identity.provenance].filter(Boolean).join(','));

  const { project, domain, task, workflow } = identity;
  const known = { step, status, project, domain, task, workflow, error_kind, root_error_type };
  const user = kind === 'step' ? labelsAmong(attributes, labels) : NO_LABELS;
  const tuple = tupleOf({ dialect: 'custom', kind, ...known, user });
  return { table: kind === 'step' ? 'steps' : 'events', row: `${row}}`, tuple, duration };
}

function nameStep(raw: string, unnamed: string): StepName {
  if (raw === '') return { step: unnamed, target: '' };
  const { step, target } = nameUserStep(raw);
  // It may have been cut within a character.
  return { step: step.toWellFormed(), target };
}

function statusOf(kind: CustomEvent['kind'], error_type: string): string {
  if (kind === 'error') return 'error';
  if (kind !== 'step') return '';
  return error_type === '' ? 'success' : 'error';
}

function identityOf(columns: Said['columns'], told: (column: Column) => string, origin: Origin): Identity {
  return settle(
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
}

function* quoted(attributes: ReadonlyMap<string, string>): Iterable<[string, string]> {
  for (const [name, value] of attributes) yield [name, quote(value)];
}

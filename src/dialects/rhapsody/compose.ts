import type { Tuple } from '../../batch.ts';
import { quote } from '../../bytes.ts';
import type { EventTable } from '../../fields.ts';
import { formatTime, storable } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import type { Line } from '../dialect.ts';
import type { When } from '../when.ts';
import type { Common } from './common.ts';

export type Kind = 'task' | 'run' | 'resource' | 'custom';
export type Status = '' | 'success' | 'error' | 'canceled' | 'running' | 'unknown';

/** What all rows of one type of event say. */
export interface Head {
  readonly kind: Kind;
  readonly status: Status;
  /** JSON members, each with a comma before it. */
  readonly fragment: string;
}

export function headOf(event: string, kind: Kind, status: Status): Head {
  let fragment = ',"dialect":"rhapsody"';
  if (event !== '') fragment += `,"event":${quote(event)}`;
  fragment += `,"kind":"${kind}"`;
  if (status !== '') fragment += `,"status":"${status}"`;
  return { kind, status, fragment };
}

/** What a line says, as it may be stored. */
export interface Said {
  readonly when: When;
  readonly head: Head;
  readonly common: Common;
  /** Microseconds; NaN where there is none. */
  readonly start_us: number;
  /** JSON of the seconds; `''` where there are none. */
  readonly wall_time_s: string;
  readonly error_type: string;
  readonly depends_on: readonly string[];
  /** Columns of a resource, as JSON members, each with a comma before it. */
  readonly resources: string;
  /** JSON members, as a byte string. */
  readonly attributes: string;
}

export interface Composed {
  readonly table: EventTable;
  /** Byte string. */
  readonly row: string;
  readonly tuple: Tuple;
  readonly duration: number;
}

/** The row of a line. */
export function compose(said: Said, lines: Line['lines']): Composed {
  const { when, head, common, start_us, wall_time_s, error_type, depends_on, attributes } = said;
  let row = `{"ts":"${formatTime(when.us)}"`;
  if (storable(start_us)) row += `,"ts_start":"${formatTime(start_us)}"`;
  row += head.fragment;
  if (wall_time_s !== '') row += `,"wall_time_s":${wall_time_s}`;
  if (error_type !== '') row += `,"error_type":${quote(error_type)}`;
  row += common.before;
  if (depends_on.length > 0) row += `,"depends_on":[${depends_on.map(quote).join(',')}]`;
  row += common.after + said.resources;
  if (attributes !== '') row += `,"attributes":{${attributes}}`;
  if (lines !== 1) row += `,"lines":${lines}`;
  const from = when.from === 'line' ? '' : `ts:${when.from}`;
  const provenance =
    from === '' || common.provenance === '' ? from + common.provenance : `${from},${common.provenance}`;
  if (provenance !== '') row += `,"provenance":"${provenance}"`;
  return {
    table: head.kind === 'resource' ? 'resources' : 'events',
    row: `${row}}`,
    tuple: tuple(head, common),
    duration: wall_time_s === '' ? Number.NaN : Number(wall_time_s),
  };
}

function tuple(head: Head, { tuples, identity }: Common): Tuple {
  let found = tuples.get(head);
  if (found === undefined) {
    const { project, domain, task, workflow } = identity;
    const { kind, status } = head;
    found = tupleOf({ dialect: 'rhapsody', kind, status, project, domain, task, workflow });
    tuples.set(head, found);
  }
  return found;
}

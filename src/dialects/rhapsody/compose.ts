import type { Tuple } from '../../batch.ts';
import { quote } from '../../bytes.ts';
import type { EventTable } from '../../fields.ts';
import type { App, Origin } from '../../origin.ts';
import { formatTime, storable } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import type { Line } from '../dialect.ts';
import { LONGEST_KEPT } from '../flytekit/compose.ts';
import { settle, UNKNOWN_LINE, type Identity } from '../flytekit/identity.ts';
import type { When } from '../when.ts';

/** Whom and what a line is about, as it may be stored; `''` where it says nothing. */
export interface About {
  readonly task: string;
  readonly node_id: string;
  readonly task_id: string;
  readonly session_id: string;
  readonly workflow_id: string;
}

/** What a line says, as it may be stored. */
export interface Said {
  readonly when: When;
  /** Microseconds; NaN where there is none. */
  readonly start_us: number;
  readonly event: string;
  readonly kind: Kind;
  readonly status: Status;
  /** JSON of the seconds; `''` where there are none. */
  readonly wall_time_s: string;
  readonly error_type: string;
  readonly about: About;
  /** False: the line does not name its session, an earlier one of its stream did. */
  readonly ownSession: boolean;
  readonly backend: string;
  readonly depends_on: readonly string[];
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string;
  /** Columns of a resource, as JSON members, each with a comma before it. */
  readonly resources: string;
  /** JSON members, as a byte string. */
  readonly attributes: string;
}

export type Kind = 'task' | 'run' | 'resource' | 'custom';
export type Status = '' | 'success' | 'error' | 'canceled' | 'running' | 'unknown';

const RHAPSODY: App = { app: 'rhapsody', component: 'session' };
const ASYNCFLOW: App = { app: 'asyncflow', component: 'session' };
/** Tasks come and go: past this many the table is emptied. */
const MOST = 8_192;

/** What the lines of one task have in common. */
interface Known {
  readonly identity: Identity;
  readonly app: App;
  readonly tuples: Map<string, Tuple>;
}

/** Makes rows. */
export class Composer {
  #known = new WeakMap<Origin, Map<string, Known>>();
  #count = 0;
  /** Tasks are many, their labels are few: those with the same labels share one table. */
  #tuples = new Map<string, Map<string, Tuple>>();

  compose(said: Said, line: Line): { table: EventTable; row: string; tuple: Tuple; duration: number } {
    const { when, start_us, event, kind, status, wall_time_s, error_type, backend, depends_on } = said;
    const { identity, app, tuples } = this.#of(said.about, line.origin);
    let row = `{"ts":"${formatTime(when.us)}"`;
    if (storable(start_us)) row += `,"ts_start":"${formatTime(start_us)}"`;
    row += ',"dialect":"rhapsody"';
    if (event !== '') row += `,"event":${quote(event)}`;
    row += `,"kind":"${kind}"`;
    if (status !== '') row += `,"status":"${status}"`;
    if (wall_time_s !== '') row += `,"wall_time_s":${wall_time_s}`;
    if (error_type !== '') row += `,"error_type":${quote(error_type)}`;
    row += identity.fragment;
    if (backend !== '') row += `,"backend":${quote(backend)}`;
    if (depends_on.length > 0) row += `,"depends_on":[${depends_on.map(quote).join(',')}]`;
    row += line.origin.of(app);
    if (said.trace_id !== '') row += `,"trace_id":"${said.trace_id}"`;
    if (said.span_id !== '') row += `,"span_id":"${said.span_id}"`;
    if (said.parent_span_id !== '') row += `,"parent_span_id":"${said.parent_span_id}"`;
    row += said.resources;
    if (said.attributes !== '') row += `,"attributes":{${said.attributes}}`;
    if (line.lines !== 1) row += `,"lines":${line.lines}`;
    const provenance = provenanceOf(said, identity);
    if (provenance !== '') row += `,"provenance":"${provenance}"`;
    const tuple = this.#tuple(kind, status, identity, tuples);
    const table = kind === 'resource' ? 'resources' : 'events';
    return { table, row: `${row}}`, tuple, duration: wall_time_s === '' ? Number.NaN : Number(wall_time_s) };
  }

  #tuple(kind: Kind, status: Status, identity: Identity, tuples: Map<string, Tuple>): Tuple {
    const key = `${kind} ${status}`;
    let tuple = tuples.get(key);
    if (tuple === undefined) {
      const { project, domain, task, workflow } = identity;
      tuple = tupleOf({ dialect: 'rhapsody', kind, status, project, domain, task, workflow });
      tuples.set(key, tuple);
    }
    return tuple;
  }

  #tuplesOf({ project, domain, task, workflow }: Identity): Map<string, Tuple> {
    const key = JSON.stringify([project, domain, task, workflow]);
    const known = this.#tuples.get(key);
    if (known !== undefined) return known;
    if (this.#tuples.size >= MOST) this.#tuples = new Map();
    const tuples = new Map<string, Tuple>();
    if (key.length <= LONGEST_KEPT) this.#tuples.set(key, tuples);
    return tuples;
  }

  #of(about: About, origin: Origin): Known {
    const { task, node_id, task_id, session_id, workflow_id } = about;
    const lengths = `${task.length} ${node_id.length} ${task_id.length} ${session_id.length}`;
    const key = `${lengths} ${task}${node_id}${task_id}${session_id}${workflow_id}`;
    let all = this.#known.get(origin);
    const known = all?.get(key);
    if (known !== undefined) return known;
    const identity = settle({ ...UNKNOWN_LINE, ...about }, origin);
    const app = session_id.startsWith('asyncflow.session.') ? ASYNCFLOW : RHAPSODY;
    const made = { identity, app, tuples: this.#tuplesOf(identity) };
    if (key.length > LONGEST_KEPT) return made;
    if (this.#count >= MOST) {
      this.#known = new WeakMap();
      this.#count = 0;
      all = undefined;
    }
    if (all === undefined) this.#known.set(origin, (all = new Map()));
    all.set(key, made);
    this.#count += 1;
    return made;
  }
}

function provenanceOf({ when, ownSession, about }: Said, identity: Identity): string {
  const parts = [when.from === 'line' ? '' : `ts:${when.from}`, identity.provenance];
  if (!ownSession && about.session_id !== '') parts.push('session_id:stream');
  return parts.filter((part) => part !== '').join(',');
}

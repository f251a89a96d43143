import type { Tuple } from '../../batch.ts';
import { quote } from '../../bytes.ts';
import type { App, Origin } from '../../origin.ts';
import { LONGEST_KEPT } from '../flytekit/compose.ts';
import { settle, UNKNOWN_LINE, type Identity } from '../flytekit/identity.ts';
import type { Head } from './compose.ts';

/** Whom and what a line is about, as it may be stored; `''` where it says nothing. */
export interface About {
  readonly task: string;
  readonly node_id: string;
  readonly task_id: string;
  readonly session_id: string;
  readonly workflow_id: string;
  readonly backend: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string;
}

export const NOTHING: About = {
  task: '',
  node_id: '',
  task_id: '',
  session_id: '',
  workflow_id: '',
  backend: '',
  trace_id: '',
  span_id: '',
  parent_span_id: '',
};

/** The same, as the rows of a task have it in common. */
export interface Common {
  readonly about: About;
  readonly identity: Identity;
  /** Columns before `depends_on`, and those behind it, as JSON members with a comma before each: byte strings. */
  readonly before: string;
  readonly after: string;
  readonly provenance: string;
  /** Of few heads, those of RHAPSODY itself; weak, since others come with every line. */
  readonly tuples: WeakMap<Head, Tuple>;
}

const RHAPSODY: App = { app: 'rhapsody', component: 'session' };
const ASYNCFLOW: App = { app: 'asyncflow', component: 'session' };
/** Labels are few. Past this many the table is emptied. */
const MOST = 4_096;

/** Makes what rows have in common. */
export class Commons {
  /** Tasks are many, their labels are few: those with the same labels share one table. */
  #tuples = new Map<string, WeakMap<Head, Tuple>>();

  /** `streams`: the line does not name its session, an earlier one of its stream did. */
  make(about: About, origin: Origin, streams = false): Common {
    const { task, node_id, task_id, session_id, workflow_id, backend } = about;
    const identity = settle({ ...UNKNOWN_LINE, task, node_id, task_id, session_id, workflow_id }, origin);
    let after = origin.of(session_id.startsWith('asyncflow.session.') ? ASYNCFLOW : RHAPSODY);
    for (const name of ['trace_id', 'span_id', 'parent_span_id'] as const) {
      if (about[name] !== '') after += `,"${name}":"${about[name]}"`;
    }
    return {
      about,
      identity,
      before: identity.fragment + (backend === '' ? '' : `,"backend":${quote(backend)}`),
      after,
      provenance: [identity.provenance, streams ? 'session_id:stream' : ''].filter(Boolean).join(','),
      tuples: this.#tuplesOf(identity),
    };
  }

  #tuplesOf({ project, domain, task, workflow }: Identity): WeakMap<Head, Tuple> {
    const key = JSON.stringify([project, domain, task, workflow]);
    let tuples = this.#tuples.get(key);
    if (tuples === undefined) {
      tuples = new WeakMap();
      if (key.length > LONGEST_KEPT) return tuples;
      if (this.#tuples.size >= MOST) this.#tuples = new Map();
      this.#tuples.set(key, tuples);
    }
    return tuples;
  }
}

import type { Origin } from '../../origin.ts';
import type { Memory } from '../dialect.ts';
import { LONGEST_KEPT } from '../flytekit/compose.ts';
import { Remembered } from '../remembered.ts';

/** Streams whose session is known. */
const MOST_STREAMS = 1_000;
/** Of sessions that go on: a session of more tasks has its oldest spans again with every checkpoint. */
const MOST_SPANS = 100_000;

/** A session and the trace that it is. */
export interface Session {
  readonly session_id: string;
  readonly trace_id: string;
}

const NO_SESSION: Session = { session_id: '', trace_id: '' };

/** What lines say of those behind them: which session a stream is of, and which of its spans were there already. */
export class Sessions {
  readonly #streams: Remembered;
  readonly #spans: Remembered;
  readonly #keys = new WeakMap<Origin, string>();

  constructor(memory: Memory) {
    this.#streams = new Remembered(memory, 'rhapsody:session:', MOST_STREAMS);
    this.#spans = new Remembered(memory, 'rhapsody:span:', MOST_SPANS);
  }

  started(origin: Origin, session_id: string, trace_id: string): void {
    // It stands in the spool: an endless name is nobody's, and not that of the session before.
    this.#streams.put(this.#key(origin), `${trace_id} ${session_id.length > LONGEST_KEPT ? '' : session_id}`);
  }

  knows(origin: Origin): boolean {
    return this.#streams.get(this.#key(origin)) !== undefined;
  }

  /** The session whose beginning came last in this stream. */
  of(origin: Origin): Session {
    const said = this.#streams.get(this.#key(origin));
    if (said === undefined) return NO_SESSION;
    const space = said.indexOf(' ');
    return { session_id: said.slice(space + 1), trace_id: said.slice(0, space) };
  }

  /** True the first time. Each checkpoint writes all spans again that have ended, until the session's own ends: that is the last one of the last. */
  first(trace_id: string, span_id: string, last: boolean): boolean {
    const key = this.#spans.key(trace_id + span_id);
    if (this.#spans.get(key) !== undefined) return false;
    if (last) this.#spans.forget(trace_id);
    this.#spans.put(key, '');
    return true;
  }

  #key(origin: Origin): string {
    let key = this.#keys.get(origin);
    if (key === undefined) {
      const { namespace, pod, pod_uid, container, stream } = origin.given;
      key = this.#streams.key(JSON.stringify([namespace, pod, pod_uid, container, stream]));
      this.#keys.set(origin, key);
    }
    return key;
  }
}

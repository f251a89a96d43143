import type { Observer } from '../observer.ts';
import { completed } from '../kubernetes/origin-fields.ts';
import { NOWHERE, type Origin, type OriginFields, type Origins } from '../origin.ts';

/*
 * What stands before a line, by whoever carried it:
 *
 *   CRI file              2026-02-19T10:30:44.189512345Z stderr F text      (P: the line goes on in the next entry of this stream)
 *   kubectl --timestamps  2026-02-19T10:30:44.189512345Z text
 *   kubectl --prefix      [pod/<pod>/<container>] text                      (with both, the prefix comes first)
 *
 * Recognised line by line; a line with none of them is left as it is.
 */

/**
 * What is taken off before a line. It is the transport's, and taken off once: what a pod writes there itself is its line.
 *
 *   any      whatever of the above is there, and an agent's record: a pipe may carry any of them
 *   cri      a runtime's file: the CRI prefix, or a record of Docker's json-file
 *   record   nothing before the line; the line is an agent's record, or the bare line
 *   rows     nothing; the line is an event as another steptap has stored it
 *   none     nothing
 */
export type Framing = 'any' | 'cri' | 'record' | 'rows' | 'none';

const KUBECTL = /^\[pod\/([^/\]\s]{1,253})\/([^/\]\s]{1,253})\] $/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
/** `2006-01-02T15:04:05Z` to `2006-01-02T15:04:05.999999999+07:00`. */
const SHORTEST_TIME = 20;
const LONGEST_TIME = 35;
/** `[pod/` and `] `, and two names that Kubernetes allows 253 characters each. */
const LONGEST_PREFIX = 520;
const BLANK = 0x20;

/** Pods seen are remembered up to this many prefixes. */
const MOST = 1_000;

export class Prefixes {
  readonly #origins: Origins;
  readonly #framing: Framing;
  #base: OriginFields = NOWHERE;
  #bare: Origin;
  /** By kubectl prefix and stream. */
  #known = new Map<string, Origin>();
  /** Set by `strip`: where the line's own text begins. */
  content = 0;
  /** Where the runtime's timestamp stands; equal offsets where there is none. */
  time = 0;
  timeEnd = 0;
  origin: Origin;

  constructor(origins: Origins, framing: Framing = 'any') {
    this.#origins = origins;
    this.#framing = framing;
    this.#bare = origins.of(NOWHERE);
    this.origin = this.#bare;
  }

  /** What is known of the lines from now on, whatever stands before them. */
  from(base: OriginFields): void {
    this.#base = base;
    this.#bare = this.#origins.of(base);
    this.#known.clear();
    this.#lastOrigin = undefined;
  }

  /** Reads what stands before the line in `[start, end)`. True when the line goes on in a later one. */
  strip(bytes: Buffer, start: number, end: number): boolean {
    let at = start;
    let prefix = '';
    this.time = this.timeEnd = 0;
    const framing = this.#framing;
    if (framing === 'record' || framing === 'rows' || framing === 'none') {
      this.content = start;
      this.origin = this.#bare;
      return false;
    }
    if (framing === 'any' && bytes[at] === 0x5b && bytes[at + 1] === 0x70 && bytes[at + 4] === 0x2f) {
      const close = bytes.indexOf(']', at);
      if (close !== -1 && close + 1 < end && close - at < LONGEST_PREFIX) {
        const text = bytes.latin1Slice(at, close + 2);
        if (KUBECTL.test(text)) {
          prefix = text;
          at = close + 2;
        }
      }
    }
    let stream = '';
    let partial = false;
    // `2026-02-19T10:30:44`: nothing else is looked at more closely.
    if (bytes[at + 10] === 0x54 && bytes[at + 4] === 0x2d && bytes[at + 7] === 0x2d && bytes[at + 13] === 0x3a) {
      const limit = Math.min(end, at + LONGEST_TIME + 1);
      let blank = at + SHORTEST_TIME;
      while (blank < limit && bytes[blank] !== BLANK) blank++;
      if (blank < limit && this.#isTime(bytes, at, blank)) {
        this.time = at;
        this.timeEnd = blank;
        at = blank + 1;
        const tag = at + 'stderr '.length;
        const out = isCri(bytes, at, tag, end);
        if (out !== '') {
          stream = out;
          partial = bytes[tag] === 0x50;
          let after = tag;
          while (after < end && bytes[after] !== BLANK) after++;
          at = Math.min(after + 1, end);
        } else if (framing === 'cri') {
          // A runtime writes a stream behind its time: this time is the line's own.
          at = this.time;
          this.time = this.timeEnd = 0;
        }
      }
    }
    this.content = at;
    this.origin = prefix === '' && stream === '' ? this.#bare : this.#origin(prefix, stream);
    return partial;
  }

  /** The runtime's timestamp of the line last stripped. */
  timeText(bytes: Buffer): string {
    return this.time === this.timeEnd ? '' : bytes.latin1Slice(this.time, this.timeEnd);
  }

  /** Says what `strip` found before the line that starts at `start`. */
  tell(bytes: Buffer, start: number, tell: Observer): void {
    tell.line();
    if (this.#base !== NOWHERE && this.origin.given.pod === this.#base.pod) tellBase(tell);
    const time = this.time === this.timeEnd ? this.content : this.time;
    const { pod, container, stream } = this.origin.given;
    if (time > start) {
      tell.note('framing', `${pod}, ${container}`, 'kubectl prefix');
      tell.from('pod', 'kubectl prefix');
      tell.from('container', 'kubectl prefix');
    }
    if (time === this.content) return;
    tell.note('framing', this.timeText(bytes), stream === '' ? 'timestamp' : 'CRI timestamp');
    if (stream === '') return;
    const goesOn = bytes[this.timeEnd + ' stderr '.length] === 0x50;
    tell.note('framing', `${stream}, ${goesOn ? 'P: the line goes on' : 'F'}`, 'CRI stream, flag');
    tell.from('stream', 'CRI stream');
  }

  /** containerd's form by hand, since it stands before every line: nine digits and Z. */
  #isTime(bytes: Buffer, at: number, end: number): boolean {
    if (end - at === 30 && bytes[at + 29] === 0x5a && bytes[at + 16] === 0x3a && bytes[at + 19] === 0x2e) {
      for (let n = 0; n < 29; n++) {
        const digit = bytes[at + n]! - 48;
        const punctuation = n === 4 || n === 7 || n === 10 || n === 13 || n === 16 || n === 19;
        if (!punctuation && !(digit >= 0 && digit <= 9)) return false;
      }
      return true;
    }
    return RFC3339.test(bytes.latin1Slice(at, end));
  }

  #last = '';
  #lastOrigin: Origin | undefined;

  #origin(prefix: string, stream: string): Origin {
    const key = prefix === '' ? stream : stream + prefix;
    if (key === this.#last && this.#lastOrigin !== undefined) return this.#lastOrigin;
    let origin = this.#known.get(key);
    if (origin === undefined) {
      const kubectl = KUBECTL.exec(prefix);
      const named = kubectl === null ? {} : { pod: kubectl[1]!, container: kubectl[2]! };
      // What is known of one pod is not true of another.
      const base = (named.pod ?? this.#base.pod) === this.#base.pod ? this.#base : NOWHERE;
      const { pods } = this.#origins.rules;
      const said = { ...base, ...named, stream };
      if (kubectl !== null && pods !== undefined) {
        // A name may be another pod's by now.
        const namespace = base.namespace || (this.#origins.constants.namespace ?? '');
        return this.#origins.of(completed({ ...said, namespace }, pods));
      }
      origin = this.#origins.of(said);
      if (this.#known.size >= MOST) this.#known = new Map();
      this.#known.set(key, origin);
    }
    this.#last = key;
    this.#lastOrigin = origin;
    return origin;
  }
}

function tellBase(tell: Observer): void {
  for (const field of ['namespace', 'pod', 'pod_uid', 'container', 'node']) tell.from(field, "steptap's own pod");
}

/** The stream, when `stderr F `, `stdout P ` or the same with further tags (`F:tag`) stands at `at`; else `''`. */
function isCri(bytes: Buffer, at: number, tag: number, end: number): '' | 'stdout' | 'stderr' {
  if (tag >= end || bytes[at] !== 0x73 || bytes[at + 1] !== 0x74 || bytes[at + 2] !== 0x64 || bytes[tag - 1] !== BLANK)
    return '';
  const flag = bytes[tag];
  const next = tag + 1 < end ? bytes[tag + 1] : BLANK;
  if ((flag !== 0x46 && flag !== 0x50) || (next !== BLANK && next !== 0x3a)) return '';
  if (bytes[at + 3] === 0x65 && bytes[at + 4] === 0x72 && bytes[at + 5] === 0x72) return 'stderr';
  return bytes[at + 3] === 0x6f && bytes[at + 4] === 0x75 && bytes[at + 5] === 0x74 ? 'stdout' : '';
}

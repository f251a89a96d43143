import type { Tuple } from '../../batch.ts';
import { flat, quote } from '../../bytes.ts';
import type { Observer } from '../../observer.ts';
import type { App, Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime, storable } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import { settle, type Identity, type LineIdentity } from './identity.ts';
import { ARTEFACT_STEP, hasTarget, nameStep, namingRule, type StepName } from './steps.ts';
import { mineUri } from './uri.ts';

/** A step as both decoders hand it over. Texts are decoded, numbers are their JSON text. */
export interface StepFields {
  ts_us: number;
  /** Where `ts` came from, when not from the line. */
  ts_from: 'line' | 'runtime' | 'arrival';
  step: string;
  wall_time_s: string;
  process_time_s: string;
  /** Of an error; `''` for a success. */
  error_type: string;
  status: 'success' | 'error';
  identity: LineIdentity;
  /** JSON object text as a byte string, privacy applied; `''` if there is none. */
  params: string;
  /** The members of `attributes`, joined with commas, as a byte string, privacy applied; `''` if there are none. */
  attributes: string;
  lines: number;
}

/** A step's name, with what is made of it once. */
export interface Named extends StepName {
  /** Its place among the normalised names. */
  readonly id: number;
  /** What stands between the times and the value of `status`, as a byte string. */
  readonly fragment: string;
  /** A member of `attributes` that its rows have; `''` for nearly all. */
  readonly attribute: string;
}

/** A line's identity on one origin, with the label tuples by step and status. */
export interface Settled {
  readonly identity: Identity;
  readonly tuples: (Tuple | undefined)[];
  /** The same with what a URI adds, by that: an execution has few nodes and attempts, and many files. */
  mined: Map<string, Settled> | undefined;
  /** Columns of identity and origin and what ends the row, when somebody asked. */
  rest?: Rest;
}

/** Whose flytekit's lines are, where neither labels nor the pipeline say it. */
export const FLYTEKIT: App = { app: 'flytekit', component: 'task' };

/** `columns`: where those end. */
export interface Rest {
  readonly bytes: Uint8Array;
  readonly columns: number;
}

/** The columns that every step has alike. */
export const KIND = ',"dialect":"flytekit","event":"flytekit_step","kind":"step"';

/** Names and identities seen are kept up to this many, then forgotten: executions end. */
const MOST = 4_096;
/** Identities on all origins together, since an agent reads hundreds of pods, and those with what URIs add: under a kilobyte each. */
const MOST_SETTLED = 8_192;
const MOST_MINED = 16_384;
/** What is longer, in characters, is no name: it is made anew each time, or a few thousand lines of a megabyte would fill the memory. */
export const LONGEST_KEPT = 2_048;

/** Makes the row of a step, with what depends on few values made once: the name's columns, the identity's, the label tuple. */
export class StepComposer {
  #names = new Map<string, Named>();
  #ids = new Map<string, number>();
  #tuples = new Map<string, (Tuple | undefined)[]>();
  #identities = new WeakMap<Origin, Map<LineIdentity, Settled>>();
  #settled = 0;
  /** Those with something mined: others know them too, so that they have to be emptied one by one. */
  readonly #miners = new Set<Settled>();
  #mined = 0;
  readonly #privacy: Privacy;

  constructor(privacy: Privacy) {
    this.#privacy = privacy;
  }

  /** The row, as a byte string, and its labels. */
  compose(fields: StepFields, origin: Origin): { row: string; tuple: Tuple; duration: number } {
    const duration = Number(fields.wall_time_s);
    const name = this.name(fields.step);
    const settled = this.settle(fields.identity, origin, name.target);
    const { identity } = settled;
    const start_us = fields.ts_us - Math.round(duration * 1e6);
    let row = `{"ts":"${formatTime(fields.ts_us)}"`;
    if (storable(start_us)) row += `,"ts_start":"${formatTime(start_us)}"`;
    row += `${name.fragment}"${fields.status}","wall_time_s":${fields.wall_time_s},"process_time_s":${fields.process_time_s}`;
    if (fields.error_type !== '') row += `,"error_type":${quote(fields.error_type)}`;
    row += identity.fragment + origin.of(FLYTEKIT);
    if (fields.params !== '') row += `,"params":${fields.params}`;
    const attributes = join(name.attribute, fields.attributes);
    if (attributes !== '') row += `,"attributes":{${attributes}}`;
    if (fields.lines !== 1) row += `,"lines":${fields.lines}`;
    const provenance = join(fields.ts_from === 'line' ? '' : `ts:${fields.ts_from}`, identity.provenance);
    if (provenance !== '') row += `,"provenance":"${provenance}"`;
    return { row: `${row}}`, tuple: this.tuple(name, fields.status, settled), duration };
  }

  /** True when something in the name must not be stored. */
  private(raw: string): boolean {
    return this.#privacy.text(raw) !== raw;
  }

  name(raw: string): Named {
    // Names with a target are as many as there are files: they are not kept.
    const known = hasTarget(raw) || this.#privacy.tell !== undefined ? undefined : this.#names.get(raw);
    if (known !== undefined) return known;
    const told = this.#privacy.text(raw);
    const { step, target } = nameStep(told);
    if (this.#privacy.tell !== undefined) tellName(told, { step, target }, this.#privacy.tell);
    let fragment = `${KIND},"step":${quote(step)},"step_raw":${quote(told)}`;
    if (target !== '') fragment += `,"step_target":${quote(target)}`;
    fragment = flat(`${fragment},"status":`);
    const attribute = step === ARTEFACT_STEP ? '"steptap.artefact":"coroutine"' : '';
    const name: Named = { step, target, fragment, id: this.#id(step), attribute };
    if (target === '' && raw.length <= LONGEST_KEPT) {
      if (this.#names.size >= MOST) this.#names = new Map();
      this.#names.set(raw, name);
    }
    return name;
  }

  /** The identity of a line without a URI. */
  settled(line: LineIdentity, origin: Origin): Settled {
    const known = this.#identities.get(origin)?.get(line);
    if (known !== undefined) return known;
    const identity = settle(line, origin);
    const settled: Settled = { identity, tuples: this.#tuplesOf(identity), mined: undefined };
    if (identity.fragment.length <= LONGEST_KEPT) this.#keep(line, origin, settled);
    return settled;
  }

  #keep(line: LineIdentity, origin: Origin, settled: Settled): void {
    if (this.#settled >= MOST_SETTLED) {
      this.#identities = new WeakMap();
      this.#settled = 0;
    }
    this.#settled += 1;
    const known = this.#identities.get(origin);
    if (known === undefined) this.#identities.set(origin, new Map([[line, settled]]));
    else known.set(line, settled);
  }

  tuple(name: Named, status: 'success' | 'error', { identity, tuples }: Settled): Tuple {
    const at = name.id * 2 + (status === 'error' ? 1 : 0);
    let tuple = tuples[at];
    // Numbers start anew when there are too many names, and this may have been kept since before.
    if (tuple === undefined || tuple.step !== name.step) {
      const { project, domain, task, workflow } = identity;
      tuple = tupleOf({ dialect: 'flytekit', kind: 'step', step: name.step, status, project, domain, task, workflow });
      tuples[at] = tuple;
    }
    return tuple;
  }

  /** The identity of a line, with what the URI in its step's name adds. */
  settle(line: LineIdentity, origin: Origin, target: string): Settled {
    const plain = this.settled(line, origin);
    if (target === '') return plain;
    const uri = mineUri(target, line.execution_id, line.task_domain, origin.rules.domains);
    const key = `${uri.node_id}\n${uri.attempt}\n${uri.project}\n${uri.domain}\n${uri.execution_id}`;
    const known = plain.mined?.get(key);
    if (known !== undefined) return known;
    const identity = settle(line, origin, uri);
    const settled: Settled = { identity, tuples: this.#tuplesOf(identity), mined: undefined };
    if (key.length <= LONGEST_KEPT) this.#mine(plain, key, settled);
    return settled;
  }

  #mine(plain: Settled, key: string, settled: Settled): void {
    if (this.#mined >= MOST_MINED) {
      for (const each of this.#miners) each.mined = undefined;
      this.#miners.clear();
      this.#mined = 0;
    }
    this.#mined += 1;
    this.#miners.add(plain);
    plain.mined ??= new Map();
    plain.mined.set(key, settled);
  }

  /** Executions are many, their labels are few: those with the same labels share one table. */
  #tuplesOf({ project, domain, task, workflow }: Identity): (Tuple | undefined)[] {
    const key = JSON.stringify([project, domain, task, workflow]);
    let tuples = this.#tuples.get(key);
    if (tuples === undefined) {
      if (this.#tuples.size >= MOST) this.#tuples = new Map();
      tuples = [];
      if (key.length <= LONGEST_KEPT) this.#tuples.set(key, tuples);
    }
    return tuples;
  }

  #id(step: string): number {
    let id = this.#ids.get(step);
    if (id === undefined) {
      // Numbers start anew with the tables that are kept by them.
      if (this.#ids.size >= MOST) {
        this.#ids = new Map();
        this.#names = new Map();
        this.#identities = new WeakMap();
        this.#settled = 0;
        this.#tuples = new Map();
      }
      id = this.#ids.size;
      this.#ids.set(step, id);
    }
    return id;
  }
}

function tellName(written: string, name: StepName, tell: Observer): void {
  const rule = namingRule(written, name);
  if (rule !== undefined) tell.note('rule', rule, 'step');
  if (name.target !== '') tell.from('step_target', { key: 'step' });
  if (name.step === ARTEFACT_STEP) tell.note('rule', 'times only the creation of a coroutine', 'step');
}

function join(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(',');
}

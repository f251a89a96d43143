import type { Tuple } from '../../batch.ts';
import { joinMembers, quote } from '../../bytes.ts';
import type { App, Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import { FLYTEKIT } from '../flytekit/compose.ts';
import type { Identity } from '../flytekit/identity.ts';
import type { When } from '../when.ts';
import type { Level } from './level.ts';

/** An ordinary log line, or several that belong together. Texts are decoded and as they were written: privacy is applied here. */
export interface LogFields {
  readonly when: When;
  readonly message: string;
  readonly level?: Level | undefined;
  readonly logger?: string | undefined;
  readonly error_type?: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
  readonly lines: number;
}

/** Whose a log line is. */
export interface Voice {
  readonly dialect: string;
  /** Undefined where nobody knows whose it is but the pod. */
  readonly app: App | undefined;
  readonly identity: Identity;
  readonly error_kind?: 'user' | 'system' | undefined;
  /** In the place of the line's: without those that are in the identity. */
  readonly attributes?: ReadonlyMap<string, string>;
  /** True when of many of its kind a few are enough, and the number of the others. */
  readonly repeats?: boolean;
}

/** A captured error: what the framework printed of it. */
export interface ErrorFields extends LogFields {
  readonly root_error_type: string | undefined;
  readonly error_kind: 'user' | 'system' | undefined;
}

/** A row in pieces, byte strings all: those of a line that is held back are kept, and put together later. */
export interface LogRow {
  readonly us: number;
  /** The columns up to those of the pod, which say whose it is. */
  readonly about: string;
  /** Level, message and logger. */
  readonly said: string;
  /** Members of `attributes`; `''` if there are none. */
  readonly attributes: string;
  readonly provenance: string;
  readonly lines: number;
  readonly tuple: Tuple;
}

/** The row of a log line, and its labels. */
export function logRow(fields: LogFields, voice: Voice, origin: Origin, privacy: Privacy): LogRow {
  const { dialect, identity, app, error_kind } = voice;
  let about = `,"dialect":"${dialect}","kind":"log"`;
  if (fields.error_type !== undefined) about += `,"error_type":${quote(fields.error_type)}`;
  if (error_kind !== undefined) about += `,"error_kind":"${error_kind}"`;
  about += identity.fragment + (app === undefined ? origin.fragment : origin.of(app));
  const { project, domain, task, workflow } = identity;
  const tuple = tupleOf({ dialect, kind: 'log', project, domain, task, workflow });
  return rowOf(fields, voice.attributes ?? fields.attributes, about, identity, tuple, privacy);
}

/** The row of a captured error, for table `events`. */
export function errorRow(fields: ErrorFields, identity: Identity, origin: Origin, privacy: Privacy): LogRow {
  const { root_error_type = '', error_kind = '' } = fields;
  let about = ',"dialect":"flytekit","event":"flytekit_error","kind":"error","status":"error"';
  if (root_error_type !== '') about += `,"root_error_type":${quote(root_error_type)}`;
  if (error_kind !== '') about += `,"error_kind":"${error_kind}"`;
  about += identity.fragment + origin.of(FLYTEKIT);
  const { project, domain, task, workflow } = identity;
  const labels = { status: 'error', project, domain, task, workflow, error_kind, root_error_type };
  const tuple = tupleOf({ dialect: 'flytekit', kind: 'error', ...labels });
  return rowOf(fields, fields.attributes, about, identity, tuple, privacy);
}

/** The pieces in their order. */
export function rowText({ us, about, said, attributes, provenance, lines }: Omit<LogRow, 'tuple'>): string {
  let row = `{"ts":"${formatTime(us)}"${about}${said}`;
  if (attributes !== '') row += `,"attributes":{${attributes}}`;
  if (lines !== 1) row += `,"lines":${lines}`;
  if (provenance !== '') row += `,"provenance":"${provenance}"`;
  return `${row}}`;
}

function rowOf(
  { when, level, message, logger, lines }: LogFields,
  given: ReadonlyMap<string, string>,
  about: string,
  identity: Identity,
  tuple: Tuple,
  privacy: Privacy,
): LogRow {
  let said = level === undefined ? '' : `,"level":"${level}"`;
  if (message !== '') said += `,"message":${quote(privacy.text(message))}`;
  if (logger !== undefined && logger !== '') said += `,"logger":${quote(logger)}`;
  const from = when.from === 'line' ? '' : `ts:${when.from}`;
  const provenance = [from, identity.provenance].filter((part) => part !== '').join(',');
  return { us: when.us, about, said, attributes: attributesOf(given, privacy), provenance, lines, tuple };
}

/** The members of `attributes`, as far as they may be stored. */
export function attributesOf(given: ReadonlyMap<string, string>, privacy: Privacy): string {
  const stored: [string, string][] = [];
  for (const [name, value] of given) {
    const told = privacy.attribute(name, value);
    if (told !== undefined) stored.push([name, quote(told)]);
  }
  return joinMembers(stored);
}

import type { Tuple } from '../../batch.ts';
import { joinMembers, quote } from '../../bytes.ts';
import type { Origin } from '../../origin.ts';
import type { Privacy } from '../../privacy/index.ts';
import { formatTime } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
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
  readonly attributes: Iterable<readonly [string, string]>;
  readonly lines: number;
}

/** A captured error: what the framework printed of it. */
export interface ErrorFields extends LogFields {
  readonly root_error_type: string | undefined;
  readonly error_kind: 'user' | 'system' | undefined;
}

/** The row of a log line, as a byte string, and its labels. */
export function logRow(
  fields: LogFields,
  identity: Identity,
  origin: Origin,
  privacy: Privacy,
): { row: string; tuple: Tuple } {
  let row = `{"ts":"${formatTime(fields.when.us)}","dialect":"log","kind":"log"`;
  if (fields.error_type !== undefined) row += `,"error_type":${quote(fields.error_type)}`;
  row += identity.fragment + origin.fragment + told(fields, identity, privacy);
  const { project, domain, task, workflow } = identity;
  return { row, tuple: tupleOf({ dialect: 'log', kind: 'log', project, domain, task, workflow }) };
}

/** The row of a captured error, for table `events`. */
export function errorRow(
  fields: ErrorFields,
  identity: Identity,
  origin: Origin,
  privacy: Privacy,
): { row: string; tuple: Tuple } {
  const { root_error_type = '', error_kind = '' } = fields;
  let row = `{"ts":"${formatTime(fields.when.us)}","dialect":"flytekit","event":"flytekit_error","kind":"error","status":"error"`;
  if (root_error_type !== '') row += `,"root_error_type":${quote(root_error_type)}`;
  if (error_kind !== '') row += `,"error_kind":"${error_kind}"`;
  row += identity.fragment + origin.fragment + told(fields, identity, privacy);
  const { project, domain, task, workflow } = identity;
  const labels = { status: 'error', project, domain, task, workflow, error_kind, root_error_type };
  return { row, tuple: tupleOf({ dialect: 'flytekit', kind: 'error', ...labels }) };
}

/** What follows the Kubernetes columns, up to the closing brace. */
function told(fields: LogFields, identity: Identity, privacy: Privacy): string {
  let text = '';
  if (fields.level !== undefined) text += `,"level":"${fields.level}"`;
  if (fields.message !== '') text += `,"message":${quote(privacy.text(fields.message))}`;
  if (fields.logger !== undefined && fields.logger !== '') text += `,"logger":${quote(fields.logger)}`;
  const attributes: [string, string][] = [];
  for (const [name, value] of fields.attributes) {
    const stored = privacy.attribute(name, value);
    if (stored !== undefined) attributes.push([name, quote(stored)]);
  }
  if (attributes.length > 0) text += `,"attributes":{${joinMembers(attributes)}}`;
  if (fields.lines !== 1) text += `,"lines":${fields.lines}`;
  const from = fields.when.from === 'line' ? '' : `ts:${fields.when.from}`;
  const provenance = [from, identity.provenance].filter((part) => part !== '').join(',');
  if (provenance !== '') text += `,"provenance":"${provenance}"`;
  return `${text}}`;
}

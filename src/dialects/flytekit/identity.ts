import { flat, quote } from '../../bytes.ts';
import { witnesses, WORK, type Says, type WorkField } from '../../kubernetes/flyte.ts';
import type { Origin } from '../../origin.ts';
import type { UriIdentity } from './uri.ts';

/** What the line itself says; `''` where it says nothing. */
export interface LineIdentity {
  readonly execution_id: string;
  readonly task: string;
  /** Of the task's registration, not of the execution: they differ for reference tasks. */
  readonly task_project: string;
  readonly task_domain: string;
}

/** Who a row is about, settled. */
export interface Identity {
  readonly workflow: string;
  readonly task: string;
  readonly project: string;
  readonly domain: string;
  /** Its columns as JSON members, each with a comma before it: a byte string. */
  readonly fragment: string;
  /** Which fields came from elsewhere than the line: `execution_id:uri,attempt:pod`; `''` if none did. */
  readonly provenance: string;
}

/** What a line may say beside, where it says what it means: then `project` is the execution's. */
export type SaidIdentity = LineIdentity & Says;

export const UNKNOWN_LINE: LineIdentity = { execution_id: '', task: '', task_project: '', task_domain: '' };

/** flytekit writes this word into all four fields when a step is timed outside of a task's context. */
const OUTSIDE = 'local';
/** Every member on its own line: a pattern that can divide one line in several ways takes years for a hostile one. */
const DUMP = /^Flyte Serialized object \(WorkflowExecutionIdentifier\):(?:\n *\w+: [^\n]*)*?\n *name: ([^\n]+)/;

/** The execution's name out of what flytekit wrote: a bare name, the dump of the id object (before 2026-02), `local`, `ex:local:local:local`. */
export function executionName(written: string): string {
  if (written === OUTSIDE || written === 'ex:local:local:local') return '';
  return DUMP.exec(written)?.[1]?.trim() ?? written;
}

export function notOutside(written: string): string {
  return written === OUTSIDE ? '' : written;
}

const COUNTS: ReadonlySet<WorkField> = new Set(['attempt', 'map_index']);

/**
 * Settles each field by the order of trust: constant, line, label, owner, variable of the container, a label's spelling of a name, pod name, namespace, URI.
 * Where nothing says project and domain of the execution, they are those of the task's registration; and the other way round where the pod alone says which
 * execution it is.
 */
export function settle(
  line: SaidIdentity,
  origin: Origin,
  uri?: UriIdentity,
  /** `stream` when `line` is not this line's own, but that of an earlier one of the same stream. */
  said: 'line' | 'stream' = 'line',
): Identity {
  const { constants, fields, rules } = origin;
  const sources: Source[] = [['set', constants], [said, line], ...witnesses(fields, line, rules.domains)];
  if (uri !== undefined) sources.push(['uri', { ...uri, attempt: uri.attempt?.toString() }]);
  sources.push([said, { project: line.task_project, domain: line.task_domain }]);
  const settled: Partial<Record<WorkField, string>> = {};
  let fragment = '';
  let provenance = '';
  let podsOwn = false;
  for (const field of WORK) {
    // It comes behind the project and the domain.
    if (field === 'task_project' && podsOwn) {
      sources.push(['execution', { task_project: settled.project, task_domain: settled.domain }]);
    }
    const source = sources.find(([, says]) => fits(field, says[field]));
    if (source === undefined) continue;
    const [name, { [field]: value = '' }] = source;
    settled[field] = value;
    fragment += `,"${field}":${COUNTS.has(field) ? Number(value) : quote(value)}`;
    if (name === 'line') continue;
    provenance += provenance === '' ? `${field}:${name}` : `,${field}:${name}`;
    if (field === 'execution_id') podsOwn = name !== 'set' && name !== 'stream';
  }
  const { workflow = '', task = '', project = '', domain = '' } = settled;
  return { workflow, task, project, domain, fragment: flat(fragment), provenance };
}

type Source = readonly [name: string, says: Says];

function fits(field: WorkField, value: string | undefined): boolean {
  return value !== undefined && value !== '' && (!COUNTS.has(field) || Number(value) <= 0xffff);
}

import { flat, quote } from '../../bytes.ts';
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
export interface SaidIdentity extends LineIdentity {
  readonly workflow?: string | undefined;
  readonly task_version?: string | undefined;
  readonly node_id?: string | undefined;
  readonly attempt?: string | undefined;
  readonly map_index?: string | undefined;
  readonly project?: string | undefined;
  readonly domain?: string | undefined;
}

export const UNKNOWN_LINE: LineIdentity = { execution_id: '', task: '', task_project: '', task_domain: '' };

/** flytekit writes this word into all four fields when a step is timed outside of a task's context. */
const OUTSIDE = 'local';
/** Every member on its own line: a pattern that can divide one line in several ways takes years for a hostile one. */
const DUMP = /^Flyte Serialized object \(WorkflowExecutionIdentifier\):(?:\n *\w+: [^\n]*)*?\n *name: ([^\n]+)/;
/** Pod names of Flyte v1 are `<exec>-<unique node id>-<attempt>`; executions named by Flyte are `a` or `f` and 19 characters. */
const POD = /^([af][a-z0-9]{19})-(.+)-(\d{1,5})$/;

/** The execution's name out of what flytekit wrote: a bare name, the dump of the id object (before 2026-02), `local`, `ex:local:local:local`. */
export function executionName(written: string): string {
  if (written === OUTSIDE || written === 'ex:local:local:local') return '';
  return DUMP.exec(written)?.[1]?.trim() ?? written;
}

export function notOutside(written: string): string {
  return written === OUTSIDE ? '' : written;
}

/**
 * Settles each field by the order of trust: constant, line, label, pod name, URI. For project and domain of the execution a line that names only those of
 * the task's registration comes last.
 */
export function settle(
  line: SaidIdentity,
  origin: Origin,
  uri?: UriIdentity,
  /** `stream` when `line` is not this line's own, but that of an earlier one of the same stream. */
  said: 'line' | 'stream' = 'line',
): Identity {
  const { constants, fields } = origin;
  const { labels } = fields;
  const given: string[] = [];
  const choose = (name: string, ...candidates: (readonly [string, string | undefined])[]): string => {
    for (const [source, value] of candidates) {
      if (value === undefined || value === '') continue;
      if (source !== 'line') given.push(`${name}:${source}`);
      return value;
    }
    return '';
  };
  const pod = POD.exec(fields.pod);
  const execution_id = choose(
    'execution_id',
    ['set', constants.execution_id],
    [said, line.execution_id],
    ['label', labels.get('execution-id')],
    ['pod', pod?.[1]],
    ['uri', uri?.execution_id],
  );
  const workflow = choose(
    'workflow',
    ['set', constants.workflow],
    [said, line.workflow],
    ['label', labels.get('workflow-name')],
  );
  const task = choose('task', [said, line.task], ['label', labels.get('task-name')]);
  const task_version = choose('task_version', ['set', constants.task_version], [said, line.task_version]);
  // With the execution known, the rest of the pod's name is node and attempt, whatever the execution is called.
  const rest =
    execution_id !== '' && fields.pod.startsWith(`${execution_id}-`) ? fields.pod.slice(execution_id.length + 1) : '';
  const cut = /^(.+)-(\d{1,5})$/.exec(rest);
  const node_id = choose(
    'node_id',
    ['set', constants.node_id],
    [said, line.node_id],
    ['label', labels.get('node-id')],
    ['pod', cut?.[1]],
    ['uri', uri?.node_id],
  );
  const attempt = choose('attempt', [said, line.attempt], ['pod', cut?.[2]], ['uri', uri?.attempt?.toString()]);
  const map_index = choose('map_index', [said, line.map_index]);
  const project = choose(
    'project',
    ['set', constants.project],
    [said, line.project],
    ['label', labels.get('project')],
    ['uri', uri?.project],
    [said, line.task_project],
  );
  const domain = choose(
    'domain',
    ['set', constants.domain],
    [said, line.domain],
    ['label', labels.get('domain')],
    ['uri', uri?.domain],
    [said, line.task_domain],
  );
  let fragment = '';
  const text = (name: string, value: string): void => {
    if (value !== '') fragment += `,"${name}":${quote(value)}`;
  };
  text('execution_id', execution_id);
  text('workflow', workflow);
  text('task', task);
  text('task_version', task_version);
  text('node_id', node_id);
  if (attempt !== '' && Number(attempt) <= 0xffff) fragment += `,"attempt":${Number(attempt)}`;
  if (map_index !== '') fragment += `,"map_index":${Number(map_index)}`;
  text('project', project);
  text('domain', domain);
  text('task_project', line.task_project);
  text('task_domain', line.task_domain);
  return { workflow, task, project, domain, fragment: flat(fragment), provenance: given.join(',') };
}

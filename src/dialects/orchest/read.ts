import { elements, members, valueText } from '../../json.ts';
import { parseTime } from '../../time.ts';
import type { Times, When } from '../when.ts';
import { inputsOf, jsonAt, leavesOf } from './leaves.ts';
import type { Payload } from './payload.ts';
import { isRun, statusOf } from './types.ts';

/** What one event says. Texts are as they were written: privacy is still to be applied. */
export interface Said {
  readonly when: When;
  readonly uuid: string;
  readonly kind: 'run' | 'custom';
  readonly status: string;
  /** The uuid of a pipeline run; of a run of a cron job, which has none, the uuid of the job and its number. */
  readonly execution_id: string;
  readonly workflow: string;
  readonly workflow_id: string;
  readonly project: string;
  readonly message: string;
  /** JSON text of an object of inputs; `''` if there are none. */
  readonly params: string;
  /** By short name: text, and the keys down to it. */
  readonly attributes: ReadonlyMap<string, { readonly text: string; readonly keys: readonly string[] }>;
}

const RUN = /(?:^|\.)pipeline_run\.parameters$/;
/** Where telemetry has what a notification has at the top. */
const EVENT = 'event_properties.';

/** `text` is the line. A string that says why it is no such event, for a person. */
export function readPayload(payload: Payload, text: string, runtime: string, times: Times): Said | string {
  const own = jsonAt(text, payload.path);
  const leaves = leavesOf(own, (key) => payload.way === 'webhook' && RUN.test(key));
  const at = (key: string): string =>
    valueText(leaves.get(key) ?? leaves.get(EVENT + key) ?? leaves.get(`derived_properties.${key}`) ?? 'null') ?? '';
  const uuid = at('uuid');
  if (payload.way === 'webhook' && uuid === '') return 'the event has no uuid';
  const run = [
    'project.job.run.pipeline_run',
    'project.job.pipeline_run',
    'project.pipeline.session.pipeline_run',
  ].find((path) => at(`${path}.uuid`) !== '' || at(`${path}.url_path`) !== '');
  const job = at('project.job.uuid');
  const number = at('project.job.run.number');
  const url = at(`${run ?? 'project.job'}.url_path`) || at('project.job.url_path');
  const ended = statusOf(payload.type);
  return {
    when: whenOf(at('timestamp') || (payload.sent ?? ''), runtime, times),
    uuid,
    kind: isRun(payload.type) ? 'run' : 'custom',
    status: ended,
    execution_id: run === undefined ? (number === '' || job === '' ? '' : `${job}/${number}`) : at(`${run}.uuid`),
    workflow: at('project.job.pipeline_name') || at('project.pipeline.name'),
    workflow_id: queryOf(url, 'pipeline_uuid'),
    project: at('project.name') || at('project.uuid'),
    message: messageOf(leaves, run),
    params: inputsOf(leaves.get(`${run}.parameters`) ?? '{}'),
    attributes: attributesOf(leaves, uuid, run, payload),
  };
}

/** `2022-06-02 16:12:25.242592+00:00`, and without the fraction where it is 0: Python's str() of a datetime. Unknown times are the word `None`. */
function whenOf(written: string, runtime: string, times: Times): When {
  const time = parseTime(written);
  return time === undefined ? times.ofNone(runtime) : times.of(time, runtime);
}

function queryOf(path: string, name: string): string {
  const start = path.indexOf('?');
  return start === -1 ? '' : (new URLSearchParams(path.slice(start)).get(name) ?? '');
}

/** What a person wants to know first: which steps failed, or what was changed. */
function messageOf(leaves: ReadonlyMap<string, string>, run: string | undefined): string {
  const failed = run === undefined ? undefined : leaves.get(`${run}.failed_steps`);
  if (failed?.startsWith('[') === true) {
    const titles = elements(failed).map((step) => valueText(members(step).get('title') ?? 'null') ?? '?');
    return titles.length === 0 ? '' : `failed steps: ${titles.join(', ')}`;
  }
  // Of a job it stands one level deeper than of anything else.
  const changes = [...leaves].find(([key]) => /(?:^|\.)update\.changes$/.test(key))?.[1];
  if (changes?.startsWith('[') !== true) return '';
  return elements(changes).map(changeOf).join('; ');
}

function changeOf(json: string): string {
  const said = members(json);
  const at = (name: string): string | undefined => valueText(said.get(name) ?? 'null');
  const [before, after] = [at('old_value'), at('new_value')];
  const values = before === undefined && after === undefined ? '' : `: ${before ?? '?'} to ${after ?? '?'}`;
  return `${(at('type') ?? 'changed').toLowerCase()} ${at('changed_object') ?? '?'}${values}`;
}

/** Members that are columns, and what an agent or a flag repeats. */
const TAKEN = /(?:^|\.)(?:timestamp|type)$|^project\.name$|\.pipeline_name$|^project\.pipeline\.name$/;

function attributesOf(
  leaves: ReadonlyMap<string, string>,
  uuid: string,
  run: string | undefined,
  { way }: Payload,
): Said['attributes'] {
  const attributes = new Map<string, { text: string; keys: readonly string[] }>();
  for (const [key, json] of leaves) {
    const inner = key.startsWith(EVENT) ? key.slice(EVENT.length) : key;
    if (TAKEN.test(inner) || key === `${run}.parameters` || key === `${run}.uuid`) continue;
    const text = valueText(json);
    // Orchest gives the event's own uuid for that of the pipeline: the true one is in url_path alone.
    if (text === undefined || (inner === 'project.pipeline.uuid' && text === uuid)) continue;
    const keys = inner.split('.');
    const name = way === 'webhook' || inner !== key ? keys.slice(-2).join('.') : inner;
    attributes.set(attributes.has(name) ? inner : name, { text, keys });
  }
  return attributes;
}

import { encodeUtf8 } from '../bytes.ts';
import type { Line } from '../dialects/dialect.ts';
import type { Observer } from '../observer.ts';
import { completed } from '../kubernetes/origin-fields.ts';
import type { KubernetesRules } from '../kubernetes/rules.ts';
import { NOWHERE, type OriginFields, type Origins } from '../origin.ts';
import { epochTime, formatTime, parseTime, storable } from '../time.ts';

/**
 * Records that a log agent made of a line:
 *
 *   Docker json-file            {"log":"text\n","stream":"stderr","time":"..."}     (no newline at the end of `log`: it goes on in the next record)
 *   Fluent Bit                  {"date":1771497044.189512,"log":"text","stream":"stderr","kubernetes":{...}}
 *   Fluentd, its CRI parser      {"message":"text","stream":"stderr","logtag":"F","kubernetes":{...}}
 *   Filebeat                    {"@timestamp":"...","message":"text","stream":"stderr","agent":{"type":"filebeat"},"kubernetes":{"pod":{...},...}}
 *   Fluent Bit, Merge_Log On    {...the line's own keys..., "kubernetes":{...}}
 *
 * `line`: the text is in the record and now in `line.text`; `partial`: so is the beginning of it; `merged`: the record is the line, with the
 * transport's keys among its own; `none`: it is no such record. In the first three, the line's time and origin are set.
 */
export type Unwrapped = 'line' | 'partial' | 'merged' | 'none';

export interface Unwrapping {
  /** Only Docker's own records: whoever else is named in one, it is the pod that says so. */
  readonly docker?: boolean;
  readonly tell?: Observer | undefined;
}

export function unwrap(
  value: Record<string, unknown>,
  line: Line,
  origins: Origins,
  { docker: only = false, tell }: Unwrapping = {},
): Unwrapped {
  const { stream, kubernetes, date } = value;
  const log = textOf(value);
  const metadata = only ? undefined : podMetadata(kubernetes, origins.rules);
  const hasText = log !== undefined;
  const standard = stream === 'stdout' || stream === 'stderr';
  const said = recordTime(value);
  // Without the time that an agent writes it is somebody's log with keys of these names.
  const docker = hasText && standard && typeof value['time'] === 'string' && said !== '';
  const agent = !only && hasText && (date !== undefined || isFilebeat(value)) && said !== '';
  if (metadata === undefined && !docker && !agent) return 'none';
  if (said !== '') line.time = said;
  const outer = line.origin.fields;
  line.origin = origins.of({
    ...(metadata ?? outer),
    stream: standard ? stream : outer.stream,
  });
  const plain = docker && metadata === undefined && date === undefined;
  if (tell !== undefined) {
    const name = plain ? 'Docker' : hasText ? 'Fluent Bit' : 'Fluent Bit, merged';
    if (said !== '') tell.note('framing', said, `${name}, time`);
    if (standard) tell.note('framing', stream, `${name}, stream`);
    if (standard) tell.from('stream', name);
    if (metadata !== undefined) tellPod(metadata, name, tell);
    if (!hasText) tell.note('framing', "the agent's own keys are taken out of the line", name);
  }
  if (!hasText) return 'merged';
  const ended = log.endsWith('\n');
  line.text = encodeUtf8(ended ? log.slice(0, log.endsWith('\r\n') ? -2 : -1) : log);
  const tag = value['_p'] ?? value['logtag'];
  const partial = tag === 'P' || (plain && tag === undefined && !ended);
  if (partial) tell?.note('framing', 'the line goes on in the next record', 'record');
  return partial ? 'partial' : 'line';
}

/** The line in a record. Filebeat calls it `message`, and so does the CRI parser of Fluentd, with `logtag` beside it; a line's own `message` has neither. */
function textOf(value: Record<string, unknown>): string | undefined {
  const { log, message, logtag } = value;
  if (typeof log === 'string') return log;
  if (typeof message !== 'string') return undefined;
  return logtag === 'F' || logtag === 'P' || isFilebeat(value) ? message : undefined;
}

function isFilebeat(value: Record<string, unknown>): boolean {
  return member(value['agent'], 'type') === 'filebeat' && typeof value['@timestamp'] === 'string';
}

/** A text in an object; `''` if there is none. */
function member(value: unknown, name: string): string {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof found === 'string' ? found : '';
}

function tellPod(metadata: OriginFields, record: string, tell: Observer): void {
  const { namespace, pod, container, labels } = metadata;
  const names = [namespace, pod, container].filter((name) => name !== '').join(', ');
  tell.note('framing', labels.size === 0 ? names : `${names}, ${labels.size} labels kept`, `${record}, pod`);
  for (const field of ['namespace', 'pod', 'pod_uid', 'container', 'node', 'app', 'component', 'labels']) {
    tell.from(field, `${record}, pod`);
  }
}

/** The `kubernetes` map of Fluent Bit's and Fluentd's filters or of Filebeat's processor, in their names, with what the API knows of the pod where it is asked. */
function podMetadata(map: unknown, { labels: { kept }, pods }: KubernetesRules): OriginFields | undefined {
  if (typeof map !== 'object' || map === null) return undefined;
  const given = map as Record<string, unknown>;
  const namespace = member(given, 'namespace_name') || member(given, 'namespace');
  const pod = member(given, 'pod_name') || member(given['pod'], 'name');
  if (pod === '' && namespace === '') return undefined;
  const labels = new Map<string, string>();
  if (typeof given['labels'] === 'object' && given['labels'] !== null) {
    for (const [name, value] of Object.entries(given['labels'])) {
      if (kept(name) && typeof value === 'string') labels.set(name, value);
    }
  }
  const said = {
    ...NOWHERE,
    namespace,
    pod,
    pod_uid: member(given, 'pod_id') || member(given['pod'], 'uid'),
    container: member(given, 'container_name') || member(given['container'], 'name'),
    node: member(given, 'host') || member(given['node'], 'name'),
    labels,
  };
  return completed(said, pods);
}

/** The record's own time; `''` if it has none that can be read. */
function recordTime(value: Record<string, unknown>): string {
  const { date, time } = value;
  if (isFilebeat(value))
    return parseTime(value['@timestamp'] as string) === undefined ? '' : (value['@timestamp'] as string);
  if (typeof time === 'string' && 'stream' in value && parseTime(time) !== undefined) return time;
  if (typeof date === 'string') return parseTime(date) === undefined ? '' : date;
  const us = typeof date === 'number' ? epochTime(date) : undefined;
  return us !== undefined && storable(us) ? formatTime(us) : '';
}

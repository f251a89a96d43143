import type { LogFields } from '../log/compose.ts';

/*
 * Which lines are Flyte's services', where nothing but the line says it. Their libraries write the lines of half of all Go programs, a user's among them: so a layout alone is not enough,
 * but for flytestdlib's JSON, which nobody else writes.
 */

/** Keys of flytestdlib's context that no other program has. */
const OWN_KEYS = ['exec_id', 'tasktype', 'res_ver', 'x-request-id'];
/** Those, and others that say it only together with something else. */
const KEYS = new Set([...OWN_KEYS, 'app_name', 'job_id', 'ns', 'node', 'wf', 'phase', 'routine', 'lp', 'src']);
for (const name of ['org', 'project', 'domain', 'service_name', 'cluster_id']) KEYS.add(name);
/** Propeller's goroutines: `worker-3`, `gc-worker`. A user's data may have any of the others, one or several. */
const WORKER = /^(?:worker-\d+|[a-z]+-worker)$/;

/** What names Flyte as only its own services do: their configuration, their source, the lease of their leader. */
const FLYTE =
  /\/etc\/flyte\/|\bflyteorg\/|\bflyte(?:admin|propeller|scheduler|stdlib|plugins|copilot)\b|\bflyte\/\w{1,40}-leader\b/;
/** The reconciler of Flyte 2's executor. */
const TASK_ACTION = /"controller(?:Kind)?": ?"[Tt]ask[Aa]ction"|"controllerGroup": ?"flyte\.org"/;

/** Up to here a text is looked at. */
const HEAD = 4_096;

/** How the line is known to be one, for a person; undefined if it is not. */
export function recognised(log: LogFields, written: Readonly<Record<string, unknown>> | string): string | undefined {
  return typeof written === 'string' ? ofText(log, written.slice(0, HEAD)) : ofObject(written);
}

function ofObject(value: Readonly<Record<string, unknown>>): string | undefined {
  const texts = (...names: string[]): boolean => names.every((name) => typeof value[name] === 'string');
  if (isObject(value['json']) && texts('level', 'msg', 'ts')) return 'JSON as flytestdlib writes it';
  const { data } = value;
  if (!isObject(data) || !texts('message', 'severity', 'timestamp')) return undefined;
  const names = Object.keys(data);
  const own = OWN_KEYS.some((name) => name in data) || WORKER.test(textOf(data['routine']));
  return own && names.every((name) => KEYS.has(name))
    ? 'JSON as flytestdlib writes it for Google, with keys of its context'
    : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function ofText({ level, attributes }: LogFields, text: string): string | undefined {
  // logrus.
  if (/^(?:time|ts)="/.test(text) && level !== undefined) {
    const own = OWN_KEYS.filter((name) => attributes.has(name)).length;
    const more = [...attributes.keys()].filter((name) => KEYS.has(name)).length;
    if (own > 0 && more > 1) return 'text as flytestdlib writes it, with keys of its context';
    return FLYTE.test(text) ? 'text as logrus writes it, which names Flyte' : undefined;
  }
  // klog.
  if (/^[IWEF]\d{4} \d\d:\d\d:\d\d/.test(text))
    return FLYTE.test(text) ? 'text as klog writes it, which names Flyte' : undefined;
  // GORM: where it was called from.
  if (attributes.has('elapsed_ms') && FLYTE.test(text.slice(0, text.indexOf('\n')))) return 'an SQL statement of Flyte';
  if (/^(?:panic|fatal error|goroutine)\b/.test(text)) return FLYTE.test(text) ? 'a panic of Flyte' : undefined;
  const fields = attributes.get('fields');
  if (fields === undefined) return undefined;
  return TASK_ACTION.test(fields) ? "text as zap writes it, of Flyte's executor" : undefined;
}

/** Flyte's labels of both generations, less `execution-identity`, which names a person; and the ones that Kubernetes recommends. */
export const KEPT_LABELS = [
  'execution-id',
  'project',
  'domain',
  'workflow-name',
  'node-id',
  'task-name',
  'shard-key',
  'interruptible',
  'run',
  'action',
  'attempt',
  'organization',
  'flyte.org/*',
  'app',
  'component',
  'app.kubernetes.io/*',
] as const;

/** Whether a key is one of those that are named, each whole or up to the `*` at its end. */
export function keyFilter(names: readonly string[]): (key: string) => boolean {
  const whole = new Set(names);
  const starts = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  return (key) => whole.has(key) || starts.some((start) => key.startsWith(start));
}

import { ofKind, workload, type KubeObject } from './objects.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** What the pods of an installation may do, as `list pods` or `get batch/jobs`: the rules of all roles that are bound to their service account. */
export function granted(objects: readonly KubeObject[]): string[] {
  const pods = workload(objects);
  const { serviceAccountName } = pods.spec.template.spec;
  const { namespace } = pods.metadata;
  const bound = ofKind(objects, 'ClusterRoleBinding').filter((binding) =>
    (binding['subjects'] as readonly Record<string, string>[]).some(
      (subject) =>
        subject['kind'] === 'ServiceAccount' &&
        subject['name'] === serviceAccountName &&
        subject['namespace'] === namespace,
    ),
  );
  const names = bound.map((binding) => (binding['roleRef'] as { name: string }).name);
  const roles = ofKind(objects, 'ClusterRole').filter(({ metadata }) => names.includes(metadata.name));
  const rights = roles
    .flatMap((role) => role['rules'] as readonly Rule[])
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group === '' ? '' : `${group}/`}${resource}`)),
      ),
    );
  return [...new Set(rights)].sort();
}

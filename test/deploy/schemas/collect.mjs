// Cuts the schemas of the kinds that deploy/ uses out of those of the PyPI package kubernetes-validate (Apache-2.0, made from Kubernetes' own OpenAPI), without their
// descriptions: 0.1 MB instead of 1.8. For another version of Kubernetes:
//
//   pip install --target DIRECTORY kubernetes-validate
//   node collect.mjs DIRECTORY/kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict > kubernetes-1.37.json
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const KINDS = [
  'apps.v1.DaemonSet',
  'apps.v1.StatefulSet',
  'autoscaling.v2.HorizontalPodAutoscaler',
  'core.v1.ConfigMap',
  'core.v1.Namespace',
  'core.v1.Pod',
  'core.v1.Service',
  'core.v1.ServiceAccount',
  'networking.v1.NetworkPolicy',
  'policy.v1.PodDisruptionBudget',
  'rbac.v1.ClusterRole',
  'rbac.v1.ClusterRoleBinding',
].map((kind) => `io.k8s.api.${kind}`);

const all = JSON.parse(readFileSync(join(process.argv[2], '_definitions.json'), 'utf8')).$defs;
const taken = {};

/** Names of properties may be anything, `description` too; in a schema it is one. */
function bare(schema) {
  if (Array.isArray(schema)) return schema.map(bare);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([key]) => key !== 'description' && !key.startsWith('x-kubernetes-'));
  return Object.fromEntries(kept.map(([key, value]) => [key, key === 'properties' ? each(value) : ref(key, value)]));
}

function each(properties) {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, bare(schema)]));
}

function ref(key, value) {
  if (key !== '$ref') return bare(value);
  const name = value.split('/').at(-1);
  take(name);
  return `#/$defs/${name}`;
}

function take(name) {
  if (name in taken) return;
  taken[name] = {};
  taken[name] = bare(all[name]);
}

for (const kind of KINDS) take(kind);
const sorted = Object.entries(taken).sort(([a], [b]) => (a < b ? -1 : 1));
console.log(JSON.stringify({ $defs: Object.fromEntries(sorted) }));

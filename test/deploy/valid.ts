import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { MONITORING } from './monitoring.ts';
import { title, type KubeObject } from './objects.ts';

/** The oldest Kubernetes that the manifests are for, and the newest that there is. */
export const VERSIONS = ['1.28', '1.37'] as const;

const GROUPS: Readonly<Record<string, string>> = {
  v1: 'core.v1',
  'apps/v1': 'apps.v1',
  'autoscaling/v2': 'autoscaling.v2',
  'networking.k8s.io/v1': 'networking.v1',
  'policy/v1': 'policy.v1',
  'rbac.authorization.k8s.io/v1': 'rbac.v1',
};

const checkers = new Map(VERSIONS.map((version) => [version, checker(version)] as const));

/** What the API server of that version would find wrong with the shape of the objects: unknown fields, wrong types, what is missing. */
export function problems(objects: readonly KubeObject[], version: (typeof VERSIONS)[number]): string[] {
  return objects.flatMap((object) => checkers.get(version)!(object).map((problem) => `${title(object)}: ${problem}`));
}

function checker(version: string): (object: KubeObject) => string[] {
  const path = new URL(`schemas/kubernetes-${version}.json`, import.meta.url);
  const schemas = JSON.parse(readFileSync(path, 'utf8')) as { $defs: Record<string, object> };
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  ajv.addSchema(schemas, 'kubernetes');
  return (object) => {
    const { apiVersion, kind } = object;
    const group = GROUPS[apiVersion];
    const custom = MONITORING[kind];
    if (apiVersion === 'monitoring.coreos.com/v1' && custom !== undefined) {
      return told(ajv.validate(custom, object) ? [] : ajv.errors!);
    }
    const name = `io.k8s.api.${group}.${kind}`;
    if (group === undefined || !(name in schemas.$defs))
      return [`Kubernetes ${version} has no ${kind} of ${apiVersion}`];
    return told(ajv.validate({ $ref: `kubernetes#/$defs/${name}` }, object) ? [] : ajv.errors!);
  };
}

function told(errors: readonly ErrorObject[]): string[] {
  return errors.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

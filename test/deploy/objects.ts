/** A Kubernetes object, as far as its kind does not matter. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Workload extends KubeObject {
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly serviceName?: string;
    readonly replicas?: number;
    readonly template: { readonly metadata: Metadata; readonly spec: PodSpec };
  };
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly priorityClassName?: string;
  readonly tolerations?: readonly object[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly Readonly<Record<string, unknown> & { name: string }>[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: {
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly [field: string]: unknown;
}

/** `Kind name`, by which an object is known within its namespace. */
export function title({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`;
}

/** The DaemonSet or StatefulSet of an installation. */
export function workload(objects: readonly KubeObject[]): Workload {
  const found = objects.filter(({ kind }) => kind === 'DaemonSet' || kind === 'StatefulSet');
  if (found.length !== 1) throw new Error(`${found.length} workloads`);
  return found[0] as Workload;
}

export function ofKind(objects: readonly KubeObject[], kind: string): KubeObject[] {
  return objects.filter((object) => object.kind === kind);
}

import type { FromSchema } from 'json-schema-to-ts';
import { KEPT_LABELS } from './labels.ts';

/** Options of `enrichment.kubernetes`. */
export const kubernetesOptions = {
  type: 'object',
  description:
    'What the Kubernetes API knows of the pods whose lines are read. Lines never wait longer for it than `wait_s`, and go on without it when it is down, slow or forbidden.',
  additionalProperties: false,
  properties: {
    api: {
      enum: ['auto', 'on', 'off'],
      description:
        '`auto`: asked in a cluster with a service account, or where `kubeconfig` is given. `on`: also with KUBECONFIG or ~/.kube/config; steptap does not start without any of them.',
      default: 'auto',
    },
    kubeconfig: {
      type: 'string',
      description: 'A kubeconfig, used instead of the service account.',
      minLength: 1,
      examples: ['/etc/steptap/kubeconfig'],
    },
    context: {
      type: 'string',
      description: 'Context of the kubeconfig; its current one when nothing is said.',
      minLength: 1,
    },
    node: {
      type: 'string',
      description:
        'Only pods of this node are asked for: those whose files are on it. Environment variable NODE_NAME when nothing is said; without either, all pods of the cluster, which suits a laptop or a small cluster and costs about 4 KB of memory a pod.',
      minLength: 1,
      examples: ['worker-3'],
    },
    wait_s: {
      type: 'number',
      description: 'Seconds that the lines of a pod which is not known yet wait for it.',
      default: 5,
      minimum: 0,
      maximum: 300,
    },
    labels: {
      type: 'array',
      description:
        'The labels of a pod that are stored; `*` at the end stands for any rest. Fields are read from those of Flyte and of applications, whatever is named here.',
      items: { type: 'string', pattern: '^(\\*|[^*]+\\*?)$' },
      default: KEPT_LABELS,
      examples: [['execution-id', 'app.kubernetes.io/*']],
    },
    owners: {
      enum: ['name', 'lookup'],
      description:
        'How the Deployment of a ReplicaSet and the CronJob of a Job are found: `name`, from the names that Kubernetes gives; `lookup`, by asking, which needs the right to get replicasets and jobs.',
      default: 'name',
    },
    namespace_domains: {
      type: 'array',
      description: 'Domains of Flyte, for telling project and domain apart in the name of a namespace.',
      items: { type: 'string', minLength: 1 },
      default: ['development', 'staging', 'production'],
    },
    downward_api: {
      type: 'boolean',
      description:
        'True: lines of standard input, and of a command under `steptap exec`, are of the pod that steptap runs in, where neither they nor what carried them name another. Environment variables POD_NAMESPACE, POD_NAME, POD_UID, CONTAINER_NAME and NODE_NAME say which.',
      default: false,
    },
  },
} as const;

/** As a pipeline says them: only what was given. */
export type KubernetesOptions = Partial<FromSchema<typeof kubernetesOptions>>;

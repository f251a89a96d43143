import type { FromSchema } from 'json-schema-to-ts';

const names = { type: 'array', items: { type: 'string', minLength: 1 }, uniqueItems: true } as const;
/** `**` would mean something else elsewhere. */
const path = { type: 'string', pattern: '^/(?!.*\\*\\*)', minLength: 2 } as const;

/** Options of the logs of a node's pods, or of any directory of logs. */
export const filesOptions = {
  type: 'object',
  description:
    "Reads all logs that match, as a container runtime writes them: on a node, those of its pods, each with its pod's metadata.",
  additionalProperties: false,
  properties: {
    paths: {
      type: 'array',
      description:
        'Logs that are read: `*` stands for any part of a name, `?` for one character. Their rotated files are found beside them.',
      items: path,
      minItems: 1,
      default: ['/var/log/pods/*/*/*.log'],
      examples: [['/var/log/containers/*.log']],
    },
    exclude_paths: {
      type: 'array',
      description: 'Of those, the ones that are not.',
      items: path,
      examples: [['/var/log/pods/*/istio-proxy/*.log']],
    },
    links_into: {
      type: 'array',
      description:
        'Directories beside those of `paths` that a link among the logs may lead into; a link to anything else is refused.',
      items: path,
      default: ['/var/log/pods', '/var/lib/docker/containers'],
    },
    namespaces: { ...names, description: 'Only the logs of these namespaces; `*` stands for any part of a name.' },
    exclude_namespaces: { ...names, description: 'Not the logs of these namespaces.' },
    pods: { ...names, description: 'Only the logs of these pods.' },
    exclude_pods: { ...names, description: 'Not the logs of these pods.' },
    containers: { ...names, description: 'Only the logs of these containers.' },
    exclude_containers: { ...names, description: 'Not the logs of these containers.' },
    exclude_annotations: {
      type: 'array',
      description:
        'A pod that has one of these annotations with the value "true" is not read. When it is named here, a pod of which the API has not told is not read either, until it has.',
      items: { type: 'string', minLength: 1 },
      default: ['steptap.io/exclude', 'fluentbit.io/exclude'],
    },
    start: {
      enum: ['beginning', 'end'],
      description:
        'Where the logs are begun that are there when this source is started for the first time; later ones are always read from the beginning.',
      default: 'beginning',
    },
    max_deleted_bytes: {
      type: ['integer', 'string'],
      description:
        'Deleted files are kept on the disk until they are read. Past so many bytes of them, the largest are given up, which is counted.',
      default: '1g',
      pattern: '^\\d+(\\.\\d+)?[kmgKMG]?(i?[bB])?$',
    },
  },
} as const;

export type FilesOptions = Partial<FromSchema<typeof filesOptions>>;

const text = { type: 'string' } as const;
const texts = { type: 'object', additionalProperties: text } as const;
const duration = { type: 'string', pattern: '^([0-9]+(ms|[smhdwy]))+$' } as const;

const metadata = {
  type: 'object',
  required: ['name'],
  properties: { name: text, namespace: text, labels: texts, annotations: texts },
  additionalProperties: false,
} as const;

const selector = {
  type: 'object',
  properties: { matchLabels: { ...texts, minProperties: 1 } },
  required: ['matchLabels'],
  additionalProperties: false,
} as const;

const endpoint = {
  type: 'object',
  properties: { port: text, path: text, interval: duration, scrapeTimeout: duration },
  required: ['port'],
  additionalProperties: false,
} as const;

const rule = {
  type: 'object',
  properties: {
    alert: text,
    expr: text,
    for: duration,
    keep_firing_for: duration,
    labels: texts,
    annotations: texts,
  },
  required: ['alert', 'expr'],
  additionalProperties: false,
} as const;

const kind = (name: string, spec: object): object => ({
  type: 'object',
  properties: { apiVersion: { const: 'monitoring.coreos.com/v1' }, kind: { const: name }, metadata, spec },
  required: ['apiVersion', 'kind', 'metadata', 'spec'],
  additionalProperties: false,
});

/**
 * The custom resources of the Prometheus Operator, as its API reference describes them, and of it only what the manifests use: a field that is not here is a
 * mistake until somebody has looked it up.
 */
export const MONITORING: Readonly<Record<string, object>> = {
  PodMonitor: kind('PodMonitor', {
    type: 'object',
    properties: { selector, podMetricsEndpoints: { type: 'array', items: endpoint, minItems: 1 } },
    required: ['selector', 'podMetricsEndpoints'],
    additionalProperties: false,
  }),
  ServiceMonitor: kind('ServiceMonitor', {
    type: 'object',
    properties: { selector, endpoints: { type: 'array', items: endpoint, minItems: 1 } },
    required: ['selector', 'endpoints'],
    additionalProperties: false,
  }),
  PrometheusRule: kind('PrometheusRule', {
    type: 'object',
    properties: {
      groups: {
        type: 'array',
        items: {
          type: 'object',
          properties: { name: text, interval: duration, rules: { type: 'array', items: rule, minItems: 1 } },
          required: ['name', 'rules'],
          additionalProperties: false,
        },
      },
    },
    required: ['groups'],
    additionalProperties: false,
  }),
};

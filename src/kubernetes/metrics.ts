import { Counter, Gauge, type Registry } from '../prom-client.ts';
import type { Counted } from './client.ts';

const REQUESTS = 'steptap_kubernetes_requests_total';
const PODS = 'steptap_kubernetes_pods';

/** Of a run: when its pipeline changes and pods are opened anew, the counter goes on. */
export function kubernetesMetrics(registry: Registry | undefined): {
  readonly asked: Counted;
  readonly pods: (count: () => number) => void;
} {
  if (registry === undefined) return { asked: () => {}, pods: () => {} };
  const registers = [registry];
  const requests =
    (registry.getSingleMetric(REQUESTS) as Counter | undefined) ??
    new Counter({
      name: REQUESTS,
      help: 'Requests to the Kubernetes API by HTTP status, or error where there was no answer',
      labelNames: ['verb', 'code'],
      registers,
    });
  return {
    asked: (verb, code) => requests.inc({ verb, code }),
    pods(count) {
      registry.removeSingleMetric(PODS);
      new Gauge({
        name: PODS,
        help: 'Pods that the Kubernetes API told of and that exist',
        registers,
        collect() {
          this.set(count());
        },
      });
    },
  };
}

import { collectDefaultMetrics, Registry } from 'prom-client';

let own: Registry | undefined;

/**
 * Shows prom-client's metrics of the process: CPU, memory, event loop, garbage collection, handles. They are made once,
 * because their observers cannot be taken away again; every registry shows the same. What a registry has already stays.
 */
export function showProcess(register: Registry): void {
  if (own === undefined) {
    own = new Registry();
    collectDefaultMetrics({ register: own });
  }
  for (const { name } of own.getMetricsAsArray()) {
    if (register.getSingleMetric(name) === undefined) register.registerMetric(own.getSingleMetric(name)!);
  }
}

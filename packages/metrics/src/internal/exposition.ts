import { Registry, type RegistryContentType } from 'prom-client';
import { Family, type Value } from './family.ts';

export const textFormat: RegistryContentType = Registry.PROMETHEUS_CONTENT_TYPE;
export const openMetrics: RegistryContentType = Registry.OPENMETRICS_CONTENT_TYPE;

/** The metrics of a registry in a format, whichever its own is. */
export async function exposition(
  register: Registry<RegistryContentType>,
  format: RegistryContentType,
): Promise<string> {
  if (format === textFormat && register.contentType === textFormat) return register.metrics();
  // A registry that writes OpenMetrics renames its counters for good. A copy may do so: it lives for one scrape.
  const copy = new Registry<RegistryContentType>();
  copy.setContentType(format);
  for (const { name, help, type, values } of await register.getMetricsAsJSON()) {
    const family = new Family(name, help, type as never, () => values as readonly Value[]);
    copy.registerMetric(family as never);
  }
  return copy.metrics();
}

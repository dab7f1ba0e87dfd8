import type { ShownSample } from '../../../dashboard/src/snapshot.ts';

export interface Series {
  readonly name: string;
  readonly labels: { readonly [label: string]: string };
  readonly value: number;
}

export interface Scrape {
  readonly series: readonly Series[];
  /** Of each family, as `# TYPE` tells it. */
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
  /** The value of one series, whose labels are exactly these. */
  value(name: string, labels?: Series['labels']): number | undefined;
}

/** Reads the text format, and OpenMetrics as far as it is the same. */
export function parse(text: string): Scrape {
  const series: Series[] = [];
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, what, family, rest] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (what !== undefined) (what === 'HELP' ? help : types).set(family as string, rest as string);
    if (line === '' || line.startsWith('#')) continue;
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found === null) throw new Error(`not a sample: ${line}`);
    const [, name = '', inner = '', value = ''] = found;
    const labels = [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text]);
    series.push({ name, labels: Object.fromEntries(labels), value: Number(value) });
  }
  const byIdentity = new Map(series.map((each) => [identity(each), each.value]));
  return {
    series,
    types,
    help,
    value: (name, labels = {}) => byIdentity.get(identity({ name, labels })),
  };
}

/** What tells a series from all others. */
export function identity({ name, labels }: Pick<Series, 'name' | 'labels'> | ShownSample): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}{${sorted.map(([label, value]) => `${label}="${value}"`).join(',')}}`;
}

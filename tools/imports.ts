import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What each package may import of the house; `entry` rules hold for one subpath only. */
export const table: {
  readonly [name: string]: {
    readonly weir: readonly string[];
    readonly entries?: { readonly [file: string]: readonly string[] };
  };
} = {
  core: { weir: [] },
  http: { weir: ['core'] },
  'consistent-hash': { weir: ['core'] },
  'circuit-breaker': { weir: ['core'] },
  resilience: { weir: ['core'] },
  metrics: { weir: ['core'] },
  redis: { weir: ['core', 'circuit-breaker'] },
  proxy: { weir: ['core', 'load-balancer', 'circuit-breaker', 'resilience'] },
  'rate-limit': { weir: ['core'], entries: { 'redis.ts': ['redis'], 'redis/': ['redis'] } },
  cache: { weir: ['core'], entries: { 'redis.ts': ['redis'], 'redis/': ['redis'] } },
  'load-balancer': { weir: ['core', 'consistent-hash'] },
  dashboard: { weir: ['core'] },
  gateway: {
    weir: [
      'core',
      'http',
      'consistent-hash',
      'circuit-breaker',
      'resilience',
      'metrics',
      'redis',
      'proxy',
      'rate-limit',
      'cache',
      'load-balancer',
      'dashboard',
    ],
  },
};

/** Frameworks, which only an adapter may name, and it their types alone. */
const frameworks = new Set([
  'express',
  'hono',
  'fastify',
  'koa',
  'h3',
  'elysia',
  '@nestjs/common',
  '@hono/node-server',
]);

/** Every import in a source file: what, and whether of types alone. Comments do not count. */
function importsOf(source: string): { readonly from: string; readonly typeOnly: boolean }[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const pattern =
    /\b(import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;
  return [...code.matchAll(pattern)].map((match) => ({
    from: (match[3] ?? match[4]) as string,
    typeOnly: match[2] !== undefined,
  }));
}

/** What is against the table in the packages below `root`; empty if all is well. */
export function violations(root: string): string[] {
  const found: string[] = [];
  for (const file of globSync('packages/*/src/**/*.ts', { cwd: root }).toSorted()) {
    const [, name = '', , ...rest] = file.split(/[\\/]/);
    const rule = table[name];
    if (rule === undefined) {
      found.push(`${file}: package ${name} is not in the table`);
      continue;
    }
    const inside = rest.join('/');
    const further = Object.entries(rule.entries ?? {}).find(
      ([entry]) => inside === entry || inside.startsWith(entry),
    );
    const allowed = [...rule.weir, ...(further?.[1] ?? [])];
    for (const { from, typeOnly } of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const house = /^@weir\/([^/]+)/.exec(from)?.[1];
      if (house !== undefined && !allowed.includes(house)) found.push(`${file} imports ${from}`);
      const framework = from.startsWith('@')
        ? from.split('/').slice(0, 2).join('/')
        : (from.split('/')[0] as string);
      if (frameworks.has(framework) && !(name === 'http' && typeOnly)) found.push(`${file} imports ${from}`);
    }
  }
  return found;
}

import type { z } from 'zod';
import { type GatewayConfig, gatewaySchema, routeName } from '../config.ts';
import { ConfigError, type ConfigMistake } from '../config-error.ts';

/**
 * Checks the shape of a configuration, and that what it names is there.
 *
 * @throws ConfigError with every mistake found.
 */
export function checkConfig(config: unknown): GatewayConfig {
  const result = gatewaySchema.safeParse(config);
  if (!result.success)
    throw new ConfigError(result.error.issues.flatMap((issue) => mistakesOf(issue, config)));
  const mistakes = danglingNames(result.data);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return result.data;
}

function mistakesOf(issue: z.core.$ZodIssue, config: unknown): ConfigMistake[] {
  const path = pathOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownNames(issue.path);
    return issue.keys.map((key) => {
      const meant = closest(key, known);
      return {
        path: path === '' ? key : `${path}.${key}`,
        message: `is not known${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      };
    });
  }
  if (issue.code === 'invalid_union') {
    // Of several shapes the one that came closest says most.
    const best = issue.errors.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
    if (best !== undefined && best.length > 0) {
      return best.flatMap((inner) =>
        mistakesOf({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, config),
      );
    }
  }
  if (issue.code === 'invalid_value') {
    const given = valueAt(config, issue.path);
    const meant = typeof given === 'string' ? closest(given, issue.values.map(String)) : undefined;
    const allowed = issue.values
      .map((value) => (typeof value === 'string' ? `'${value}'` : String(value)))
      .join(', ');
    return [
      {
        path,
        message: `must be one of ${allowed}${meant === undefined ? '' : `; did you mean '${meant}'?`}`,
      },
    ];
  }
  return [{ path, message: issue.message }];
}

const depth = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(0, ...issues.map(({ path }) => path.length));

function danglingNames(config: GatewayConfig): ConfigMistake[] {
  const mistakes: ConfigMistake[] = [];
  const check = (given: string, known: object, what: string, path: string): void => {
    if (Object.hasOwn(known, given)) return;
    const names = Object.keys(known);
    const meant = closest(given, names);
    const said = meant === undefined ? `there are ${names.join(', ') || 'none'}` : `did you mean ${meant}?`;
    mistakes.push({ path, message: `there is no ${what} '${given}'; ${said}` });
  };
  const names = new Set<string>();
  config.routes.forEach((route, i) => {
    const at = `routes[${i}]`;
    if (route.upstream !== undefined) check(route.upstream, config.upstreams, 'upstream', `${at}.upstream`);
    if (typeof route.auth === 'string') check(route.auth, config.auth ?? {}, 'auth', `${at}.auth`);
    if (route.scopes !== undefined && typeof route.auth !== 'string') {
      mistakes.push({ path: `${at}.scopes`, message: 'needs auth' });
    }
    if (route.limit?.by === 'identity' && typeof route.auth !== 'string') {
      mistakes.push({ path: `${at}.limit.by`, message: "'identity' needs auth" });
    }
    if (route.cors?.credentials === true && route.cors.origins === '*') {
      mistakes.push({
        path: `${at}.cors.credentials`,
        message: 'cannot be allowed to all origins: list them',
      });
    }
    const { path } = route.match;
    if (path?.slice(0, -1).includes('*')) {
      mistakes.push({ path: `${at}.match.path`, message: 'may hold one *, at its end' });
    }
    const name = routeName(route, i);
    if (names.has(name)) {
      mistakes.push({ path: `${at}.name`, message: `'${name}' is taken by another route` });
    }
    names.add(name);
  });
  return mistakes;
}

function pathOf(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path)
    text += typeof part === 'number' ? `[${part}]` : text === '' ? String(part) : `.${String(part)}`;
  return text;
}

function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
  let value = config;
  for (const part of path) value = (value as { [name: PropertyKey]: unknown } | undefined)?.[part];
  return value;
}

/** The names that an object of the schema knows. */
function knownNames(path: readonly PropertyKey[]): string[] {
  let shapes: Schema[] = [gatewaySchema as unknown as Schema];
  for (const part of path) shapes = shapes.flatMap((shape) => step(shape, part));
  return shapes.flatMap(unwrap).flatMap((shape) => Object.keys(shape.shape ?? {}));
}

/** The few members of zod's schemas that are walked here. */
interface Schema {
  readonly shape?: { readonly [name: string]: Schema };
  readonly element?: Schema;
  readonly valueType?: Schema;
  readonly options?: readonly Schema[];
  unwrap?(): Schema;
}

function unwrap(schema: Schema): Schema[] {
  if (Array.isArray(schema.options)) return schema.options.flatMap(unwrap);
  // An array's own unwrap gives its element; only what wraps nothing else is looked through.
  if (schema.element === undefined && typeof schema.unwrap === 'function') return unwrap(schema.unwrap());
  return [schema];
}

function step(schema: Schema, part: PropertyKey): Schema[] {
  return unwrap(schema).flatMap((each) => {
    const next = each.shape?.[String(part)] ?? each.element ?? each.valueType;
    return next === undefined ? [] : [next];
  });
}

/** The nearest of some words, if it is near enough to have been meant. */
function closest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const each of words) {
    const distance = editDistance(word.toLowerCase(), each.toLowerCase());
    if (distance < least) [best, least] = [each, distance];
  }
  return best;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

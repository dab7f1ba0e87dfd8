import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';
import type { Exchange } from '../exchange.ts';
import type { Key } from '../key.ts';

/** What the made-up request looks like. */
export interface FakeRequest {
  /** @default 'GET' */
  readonly method?: string;
  /** @default '/' */
  readonly url?: string;
  /** Lower-case names. */
  readonly headers?: { readonly [lowerName: string]: string };
  /** @default '192.0.2.1' */
  readonly ip?: string;
  /** @default 'localhost' */
  readonly host?: string;
  /** @default 'http' */
  readonly protocol?: 'http' | 'https';
  /** @default systemClock */
  readonly clock?: Clock;
}

/** An exchange without a host: for testing a policy alone. */
export interface FakeExchange extends Exchange<undefined> {
  /** What policies set and appended, by lower-case name. */
  readonly responseHeaders: ReadonlyMap<string, readonly string[]>;
  /** Work given to `waitUntil`. */
  readonly pending: readonly Promise<unknown>[];
  /** Makes `signal` abort, as if the client had gone. */
  abort(reason?: unknown): void;
}

/**
 * @example
 * const x = fakeExchange({ headers: { 'x-api-key': 'a' } });
 * const result = policy.enter(x);
 */
export function fakeExchange(request: FakeRequest = {}): FakeExchange {
  const {
    method = 'GET',
    url = '/',
    headers = {},
    ip = '192.0.2.1',
    host = 'localhost',
    protocol = 'http',
  } = request;
  const { clock = systemClock } = request;
  const responseHeaders = new Map<string, string[]>();
  const values = new Map<symbol, unknown>();
  const pending: Promise<unknown>[] = [];
  const controller = new AbortController();
  const startedAt = clock.now();
  const query = url.indexOf('?');
  return {
    method,
    url,
    path: query === -1 ? url : url.slice(0, query),
    host,
    protocol,
    ip,
    startedAt,
    signal: controller.signal,
    raw: undefined,
    responseHeaders,
    pending,
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    setHeader: (name, value) => void responseHeaders.set(name.toLowerCase(), [value]),
    appendHeader(name, value) {
      const lower = name.toLowerCase();
      responseHeaders.set(lower, [...(responseHeaders.get(lower) ?? []), value]);
    },
    get: <T>(key: Key<T>) => values.get(key) as T | undefined,
    set: (key, value) => void values.set(key, value),
    waitUntil: (work) => void pending.push(work),
    abort: (reason) => controller.abort(reason),
  };
}

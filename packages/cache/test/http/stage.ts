import { ManualClock } from '@weir/core/testing';
import { type Answer, type Ask, ask } from '@weir/http/testing';
import { formatHttpDate } from '../../src/http/http-date.ts';
import {
  type CacheResponsesOptions,
  cacheResponses,
  type ResponseCache,
  type SharedResponsesOptions,
} from '../../src/http.ts';
import { type Host, node, type Origin, type Said, type Seen } from './hosts.ts';

export interface Stage extends AsyncDisposable {
  readonly cache: ResponseCache;
  readonly clock: ManualClock;
  readonly port: number;
  /** What reached the origin. */
  readonly seen: readonly Seen[];
  /** Asks for `/`, or whatever the request says. */
  get(headers?: Record<string, string>, request?: Ask): Promise<Answer>;
  /** The time on the clock, moved by seconds, as a header value. */
  date(seconds?: number): string;
}

export type Script = (request: Seen, stage: Stage, count: number) => Said | Promise<Said>;

/** A cache with real sockets in front, an origin behind, and a clock that a test moves. */
export async function stage(
  script: Script | Said,
  options: CacheResponsesOptions & Partial<SharedResponsesOptions> = {},
  host: Host = node,
): Promise<Stage> {
  const clock = new ManualClock(0, Date.UTC(2026, 0, 15, 12));
  const cache = cacheResponses({ clock, ...(options as CacheResponsesOptions) });
  const seen: Seen[] = [];
  const origin: Origin = (request) => {
    seen.push(request);
    return typeof script === 'function' ? script(request, made, seen.length) : script;
  };
  const server = await host.start([cache], origin);
  const made: Stage = {
    cache,
    clock,
    port: server.port,
    seen,
    get: (headers = {}, request = {}) =>
      ask(server.port, { path: '/', http2: host.http2 ?? false, ...request, headers }),
    date: (seconds = 0) => formatHttpDate(clock.epoch() + seconds * 1000),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return made;
}

/** An origin that says the same, with a body that counts. */
export function counting(
  headers: Said['headers'] | ((stage: Stage) => Said['headers']),
  more: Said = {},
): Script {
  return (_request, made, count) => ({
    body: `answer ${count}`,
    ...more,
    headers: (typeof headers === 'function' ? headers(made) : headers) ?? {},
  });
}

/** A promise with its handles. */
export function gate<T = void>(): { readonly passed: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => {};
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** Lets everything go on until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

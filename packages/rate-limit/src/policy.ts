import {
  type Awaitable,
  callable,
  channel,
  type Duration,
  duration,
  type Exchange,
  InvalidOptionError,
  knownOptions,
  type Leave,
  type Outcome,
  oneOf,
  type Policy,
  type Reply,
  systemClock,
} from '@weir/core';
import { createLimiter } from './create-limiter.ts';
import type { Decision } from './decision.ts';
import { type HeaderStyle, headerWriter } from './headers.ts';
import { checkCost, storeOptionNames } from './internal/settings.ts';
import { isThenable } from './internal/thenable.ts';
import { longestTimer } from './internal/wait-queue.ts';
import { byAddress, type KeyOf } from './keys.ts';
import type { AsyncLimiter, Limiter, LimiterOptions, StoreLimiterOptions } from './limiter.ts';
import { refusals } from './refusal.ts';

/** The options of the limiter itself may stand here too, in place of `limiter`. */
export interface RateLimitOptions extends Partial<StoreLimiterOptions> {
  /** @default one made of the options given here */
  readonly limiter?: Limiter | AsyncLimiter;
  /** What a request is counted by; undefined: by address. @default byAddress() */
  readonly key?: KeyOf;
  /** Units that a request is charged. A whole number, 0 or more. @default 1 */
  readonly cost?: number | ((x: Exchange) => number);
  /** Requests that are neither limited nor counted. @default none */
  readonly skip?: (x: Exchange) => boolean;
  /** Keys that are neither limited nor counted. @default none */
  readonly allow?: readonly string[];
  /** Whether OPTIONS requests that browsers send ahead (CORS preflight) are counted. @default false */
  readonly preflight?: boolean;
  /** Holds a request that would be refused, for so long at most; true: 30 s. @default false */
  readonly wait?: boolean | Duration;
  /** Decides and counts, never refuses, sends no headers. @default false */
  readonly shadow?: boolean;
  /** Which headers tell of the limits. `Retry-After` is sent with every refusal. @default 'draft-11' */
  readonly headers?: HeaderStyle;
  /**
   * What an admitted request turned out to cost. The difference to `cost` is given back, or charged without asking.
   *
   * @default what it was charged
   */
  readonly settle?: (outcome: Outcome, x: Exchange) => number;
  /** When `settle` is called: at the head of the response, or at its end. @default 'end' */
  readonly until?: 'head' | 'end';
  /** What a refused request gets. @default 429 with Retry-After and a problem document */
  readonly reply?: (x: Exchange, decision: Decision) => Reply;
}

export interface RateLimitPolicy extends Policy {
  /** For metrics, dashboards, and code that counts by itself. */
  readonly limiter: Limiter | AsyncLimiter;
}

const ownOptionNames = [
  'limiter',
  'key',
  'cost',
  'skip',
  'allow',
  'preflight',
  'wait',
  'shadow',
  'headers',
  'settle',
  'until',
  'reply',
];
const ownOptions = /* @__PURE__ */ new Set(ownOptionNames);
const refusedChannel = /* @__PURE__ */ channel('weir:rate-limit:refused');

/**
 * Limits requests, by client address if nothing else is said. Without a store and without `wait` it answers at once.
 *
 * @throws InvalidOptionError if an option is unknown, out of range, or does not go with another one.
 *
 * @example
 * app.use(weir(rateLimit({ limits: tokenBucket({ limit: 50, per: '1s', burst: 100 }) })));
 */
export function rateLimit(options: RateLimitOptions): RateLimitPolicy {
  knownOptions(options, [...ownOptionNames, ...storeOptionNames], 'rateLimit');
  const { key = byAddress(), cost = 1, skip, allow = [], preflight = false, shadow = false } = options;
  const { headers = 'draft-11', settle, until = 'end', wait = false, clock = systemClock } = options;
  callable(key, 'key');
  for (const name of ['skip', 'settle', 'reply'] as const) {
    if (options[name] !== undefined) callable<unknown>(options[name], name);
  }
  if (typeof cost !== 'function' && !(Number.isSafeInteger(cost) && cost >= 0)) {
    throw new InvalidOptionError('cost', 'an integer >= 0 or a function', cost);
  }
  if (!Array.isArray(allow) || !allow.every((each) => typeof each === 'string')) {
    throw new InvalidOptionError('allow', 'a list of keys', allow);
  }
  oneOf(preflight, 'preflight', [true, false]);
  oneOf(shadow, 'shadow', [true, false]);
  oneOf(headers, 'headers', ['draft-11', 'draft-7', 'draft-6', 'legacy', false] as const);
  oneOf(until, 'until', ['head', 'end'] as const);
  const maxWait = readWait(wait);
  const limiter = limiterOf(options);
  const writeHeaders = headerWriter(shadow ? false : headers, clock);
  const reply = options.reply ?? refusals();
  const fallbackKey = byAddress();
  const allowed = new Set(allow);

  const decide = (x: Exchange, of: string, units: number): Awaitable<Decision> => {
    if (maxWait === undefined || shadow) return limiter.check(of, { cost: units, shadow });
    return limiter.wait(of, { cost: units, maxWait, signal: x.signal });
  };

  const conclude = (
    x: Exchange,
    of: string,
    units: number,
    decision: Decision,
  ): undefined | Reply | Leave => {
    writeHeaders(x, decision);
    if (!decision.allowed) {
      if (refusedChannel.hasSubscribers) refusedChannel.publish({ limiter: limiter.name, decision, shadow });
      return shadow ? undefined : reply(x, decision);
    }
    if (settle === undefined) return undefined;
    return (outcome) => {
      const real = settle(outcome, x);
      checkCost(real);
      if (real === units) return;
      const done = real < units ? limiter.refund(of, units - real) : limiter.charge(of, real - units);
      // A store that fails is counted and told of by the limiter, once for all its calls.
      if (done !== undefined) x.waitUntil(done.catch(() => {}));
    };
  };

  return {
    name: 'rate-limit',
    until,
    limiter,
    enter(x): Awaitable<undefined | Reply | Leave> {
      if (!preflight && x.method === 'OPTIONS' && x.header('access-control-request-method') !== undefined) {
        return undefined;
      }
      if (skip?.(x) === true) return undefined;
      const of = key(x) ?? fallbackKey(x);
      if (allowed.has(of)) return undefined;
      const units = typeof cost === 'function' ? cost(x) : cost;
      const decision = decide(x, of, units);
      if (!isThenable(decision)) return conclude(x, of, units, decision);
      return decision.then(
        (late) => conclude(x, of, units, late),
        (error) => {
          // The client has gone, so there is nobody to answer.
          if (maxWait !== undefined && x.signal.aborted) return undefined;
          throw error;
        },
      );
    },
  };
}

function readWait(wait: boolean | Duration): number | undefined {
  if (wait === false) return undefined;
  return wait === true ? 30_000 : duration(wait, 'wait', { min: 0, max: longestTimer });
}

function limiterOf(options: RateLimitOptions): Limiter | AsyncLimiter {
  const { limiter } = options;
  const inline = Object.entries(options).filter(([name]) => !ownOptions.has(name));
  if (limiter === undefined) return createLimiter(Object.fromEntries(inline) as unknown as LimiterOptions);
  if (typeof limiter?.check !== 'function') throw new InvalidOptionError('limiter', 'a limiter', limiter);
  const stray = inline.find(([name, value]) => name !== 'clock' && value !== undefined);
  if (stray !== undefined) {
    throw new InvalidOptionError(stray[0], 'given to the limiter itself, since `limiter` is', stray[1]);
  }
  return limiter;
}

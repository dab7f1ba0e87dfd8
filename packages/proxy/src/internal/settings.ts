import { type BreakerOptions, type Breakers, createBreakers } from '@weir/circuit-breaker';
import {
  type Clock,
  callable,
  type Duration,
  duration,
  InvalidOptionError,
  integer,
  knownOptions,
  oneOf,
  systemClock,
  text,
} from '@weir/core';
import { type RetryBudget, type RetryBudgetOptions, retryBudget } from '@weir/resilience';
import { isBadField } from '../header-fields.ts';
import type { ForwardOptions, HeaderRules, RetryOptions, TimeoutOptions, TlsOptions } from '../options.ts';

/** The options, read. */
export interface Settings {
  /** Further tries after the first. */
  readonly retries: number;
  readonly statuses: ReadonlySet<number>;
  readonly maxWaitMs: number;
  /** Undefined if nothing is ever repeated. */
  readonly budget: RetryBudget | undefined;
  /** When another try is begun beside the first; 0: never. */
  readonly hedgeAfterMs: number;
  readonly connectMs: number;
  readonly headMs: number;
  readonly idleMs: number;
  /** 0: none. */
  readonly totalMs: number;
  readonly breakers: Breakers | undefined;
  readonly key: ForwardOptions['key'];
  readonly forwarded: 'x-forwarded' | 'forwarded' | 'both' | false;
  readonly via: string | undefined;
  readonly clientHost: boolean;
  readonly rewrite: ForwardOptions['rewrite'];
  readonly requestFields: FieldChanges | undefined;
  readonly responseFields: FieldChanges | undefined;
  readonly onRequest: ForwardOptions['onRequest'];
  readonly onResponse: ForwardOptions['onResponse'];
  readonly tls: TlsOptions;
  readonly clock: Clock;
}

/** Header rules, read. */
export interface FieldChanges {
  /** Those to remove, and those to set, which go first. */
  readonly removed: ReadonlySet<string>;
  /** Those to set, as pairs. */
  readonly added: readonly string[];
}

export const forwardOptionNames: readonly string[] = [
  'name',
  'retry',
  'timeout',
  'breaker',
  'key',
  'forwarded',
  'via',
  'host',
  'rewrite',
  'headers',
  'onRequest',
  'onResponse',
  'tls',
  'clock',
];

const longest = 86_400_000;
const none: RetryOptions = { max: 0 };

/** @throws InvalidOptionError if an option is out of range. */
export function readSettings(
  options: ForwardOptions,
  hedgeAfterMs: number,
  idle: Duration,
  where: string,
): Settings {
  const { clock = systemClock, timeout = {}, headers = {}, tls = {} } = options;
  knownOptions(timeout, ['connect', 'head', 'idle', 'total'], `${where} \`timeout\``);
  knownOptions(headers, ['request', 'response'], `${where} \`headers\``);
  knownOptions(tls, ['ca', 'cert', 'key', 'servername', 'rejectUnauthorized'], `${where} \`tls\``);
  const wait = (name: keyof TimeoutOptions, fallback: Duration): number =>
    duration(timeout[name] ?? fallback, `timeout.${name}`, { min: 1, max: longest });
  for (const name of ['key', 'rewrite', 'onRequest', 'onResponse'] as const) {
    if (options[name] !== undefined) callable<unknown>(options[name], name);
  }
  if (tls.servername !== undefined) text(tls.servername, 'tls.servername');
  oneOf(tls.rejectUnauthorized, 'tls.rejectUnauthorized', [undefined, true, false]);
  return {
    ...readRetry(options.retry ?? {}, hedgeAfterMs > 0, clock, where),
    hedgeAfterMs,
    connectMs: wait('connect', '5s'),
    headMs: wait('head', '30s'),
    idleMs: wait('idle', idle),
    totalMs: timeout.total === undefined ? 0 : wait('total', 1),
    breakers: readBreakers(options.breaker, clock),
    key: options.key,
    forwarded: oneOf(options.forwarded ?? 'x-forwarded', 'forwarded', [
      'x-forwarded',
      'forwarded',
      'both',
      false,
    ] as const),
    via: readPseudonym(options.via ?? 'weir'),
    clientHost: oneOf(options.host ?? 'upstream', 'host', ['upstream', 'client']) === 'client',
    rewrite: options.rewrite,
    requestFields: readRules(headers.request, 'headers.request'),
    responseFields: readRules(headers.response, 'headers.response'),
    onRequest: options.onRequest,
    onResponse: options.onResponse,
    tls: { ...tls },
    clock,
  };
}

function readRetry(
  given: RetryOptions | false,
  hedges: boolean,
  clock: Clock,
  where: string,
): Pick<Settings, 'retries' | 'statuses' | 'maxWaitMs' | 'budget'> {
  const retry = given === false ? none : given;
  knownOptions(retry, ['max', 'statuses', 'maxWait', 'budget'], `${where} \`retry\``);
  const retries = integer(retry.max ?? 2, 'retry.max', 0, 10);
  const statuses = retry.statuses ?? [502, 503, 504];
  if (!Array.isArray(statuses))
    throw new InvalidOptionError('retry.statuses', 'a list of statuses', statuses);
  if (hedges && retries === 0) {
    throw new InvalidOptionError('hedge', 'used together with retries, of which it is one', given);
  }
  return {
    retries,
    statuses: new Set(statuses.map((status) => integer(status, 'retry.statuses', 400, 599))),
    maxWaitMs: duration(retry.maxWait ?? '2s', 'retry.maxWait', { min: 0, max: 60_000 }),
    budget: retries === 0 ? undefined : readBudget(retry.budget ?? { ratio: 0.2 }, clock),
  };
}

function readBudget(budget: RetryBudget | RetryBudgetOptions, clock: Clock): RetryBudget {
  if (typeof (budget as RetryBudget | null)?.tryRetry === 'function') return budget as RetryBudget;
  knownOptions(budget, ['name', 'ratio', 'minPerSecond', 'window', 'clock'], 'proxy `retry.budget`');
  return retryBudget({ clock, ...(budget as RetryBudgetOptions) });
}

/** Breakers kept at once. More than a pool has upstreams, so that none is ever unprotected. */
const mostBreakers = 10_000;

function readBreakers(given: ForwardOptions['breaker'], clock: Clock): Breakers | undefined {
  if (given === undefined) return undefined;
  if (typeof (given as Breakers | null)?.get === 'function') return given as Breakers;
  return createBreakers({ ...(given as BreakerOptions), clock, max: mostBreakers });
}

function readPseudonym(via: unknown): string | undefined {
  if (via === false) return undefined;
  if (isBadField(via, '')) throw new InvalidOptionError('via', 'a token such as `weir`, or false', via);
  return via as string;
}

function readRules(rules: HeaderRules | undefined, option: string): FieldChanges | undefined {
  if (rules === undefined) return undefined;
  if (typeof rules !== 'object' || rules === null || Array.isArray(rules)) {
    throw new InvalidOptionError(option, 'an object of header fields', rules);
  }
  const removed = new Set<string>();
  const added: string[] = [];
  for (const [name, value] of Object.entries(rules)) {
    if (isBadField(name, value === false ? '' : value)) {
      throw new InvalidOptionError(`${option}.${name}`, 'a header field: a string, or false', value);
    }
    removed.add(name.toLowerCase());
    if (value !== false) added.push(name.toLowerCase(), value);
  }
  return { removed, added };
}

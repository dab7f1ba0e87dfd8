import {
  type Clock,
  componentName,
  duration,
  InvalidOptionError,
  integer,
  knownOptions,
  systemClock,
  text,
} from '@weir/core';
import { InvalidCostError, InvalidKeyError, InvalidLimitsError } from '../errors.ts';
import type { KeyStorage } from '../key-storage.ts';
import type { Limit } from '../limit.ts';
import type { LimiterOptions, Limits } from '../limiter.ts';
import { tableStorage } from '../table-storage.ts';
import { longestTimer } from './wait-queue.ts';

export const memoryOptionNames: readonly string[] = [
  'name',
  'limits',
  'maxKeys',
  'storage',
  'maxWaiting',
  'clock',
  'store',
];
export const storeOptionNames: readonly string[] = [
  ...memoryOptionNames,
  'onStoreError',
  'storeTimeout',
  'localShare',
];

/** The options of a limiter, checked, with defaults. */
export interface Settings {
  readonly name: string;
  readonly limits: readonly Limit[] | ((key: string) => readonly Limit[]);
  readonly maxKeys: number;
  readonly storage: KeyStorage;
  readonly maxWaiting: number;
  readonly clock: Clock;
}

export function readSettings(options: LimiterOptions, names: readonly string[]): Settings {
  knownOptions(options, names, 'createLimiter');
  const { name, limits, maxKeys = 100_000, maxWaiting = 10_000 } = options;
  const { clock = systemClock, storage = tableStorage() } = options;
  if (typeof clock?.now !== 'function' || typeof clock.epoch !== 'function') {
    throw new InvalidOptionError('clock', 'a clock', clock);
  }
  if (typeof storage?.open !== 'function') throw new InvalidOptionError('storage', 'a storage', storage);
  return {
    limits: typeof limits === 'function' ? (key) => returned(limits(key)) : given(limits),
    maxKeys: integer(maxKeys, 'maxKeys', 1, 2 ** 24),
    storage,
    maxWaiting: integer(maxWaiting, 'maxWaiting', 0, 2 ** 24),
    clock,
    name: componentName('limiter', name === undefined ? undefined : text(name, 'name')),
  };
}

export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') throw new InvalidKeyError(key);
}

export function checkCost(cost: unknown): asserts cost is number {
  if (!(Number.isSafeInteger(cost) && (cost as number) >= 0)) throw new InvalidCostError(cost);
}

/** How long `wait` may take, ms. */
export function readMaxWait(maxWait: unknown = 30_000): number {
  return duration(maxWait, 'maxWait', { min: 0, max: longestTimer });
}

/** How long a key is blocked, ms; Infinity too. */
export function readBlock(length: unknown): number {
  return duration(length, 'duration', { max: Number.POSITIVE_INFINITY });
}

const expected = 'a limit or a list of 1 to 16, each with its own name';

function given(limits: Limits): readonly Limit[] {
  const list = asList(limits);
  if (list === undefined) throw new InvalidOptionError('limits', expected, limits);
  return list;
}

function returned(limits: Limits): readonly Limit[] {
  const list = asList(limits);
  if (list === undefined) throw new InvalidLimitsError(`\`limits\` must return ${expected}`);
  return list;
}

function asList(limits: Limits): readonly Limit[] | undefined {
  const list = Array.isArray(limits) ? [...limits] : [limits];
  const names = new Set(list.map((limit) => limit?.column && limit.name));
  return names.size === list.length && list.length > 0 && list.length <= 16 && !names.has(undefined)
    ? list
    : undefined;
}

import type { Head } from '@weir/core';
import { type Directives, responseDirectives } from './directives.ts';
import {
  explicitLifetime,
  forbidsStale,
  type Heuristic,
  heuristicLifetime,
  initialAge,
  type Times,
} from './freshness.ts';
import { allowsSharing } from './storability.ts';

/** What the terms of a response depend on beside the response. Times in ms. */
export interface TermSettings {
  readonly targets: readonly string[];
  readonly heuristic: Heuristic | undefined;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
}

/** On what terms a response may be reused. Times in ms, moments on the monotonic clock. */
export interface Terms {
  readonly directives: Directives;
  /** Undefined if the response states none. */
  readonly explicitLifetime: number | undefined;
  readonly lifetime: number;
  /** When its age was 0. */
  readonly bornAt: number;
  /** Never without asking the origin. */
  readonly noCache: boolean;
  /** Never stale, not even when the origin is gone. */
  readonly neverStale: boolean;
  /** How long after its lifetime it may be used while somebody revalidates it (RFC 5861, 3). */
  readonly staleWhile: number;
  /** How long after its lifetime it may be used if the origin fails (RFC 5861, 4). */
  readonly staleOnError: number;
  /** May answer requests with `Authorization` (RFC 9111, 3.5). */
  readonly shareable: boolean;
}

export function termsOf({ status, headers }: Head, times: Times, settings: TermSettings): Terms {
  const { directives, targeted } = responseDirectives(headers, settings.targets);
  const explicit = explicitLifetime(headers, directives, targeted, times);
  const neverStale = forbidsStale(directives);
  const grace = (stated: number | undefined, usual: number): number =>
    neverStale ? 0 : stated === undefined ? usual : stated * 1000;
  return {
    directives,
    explicitLifetime: explicit,
    lifetime: explicit ?? heuristicLifetime(status, headers, directives, times, settings.heuristic),
    bornAt: times.received - initialAge(headers, times),
    noCache: directives.noCache,
    neverStale,
    staleWhile: grace(directives.staleWhileRevalidate, settings.staleWhileRevalidate),
    staleOnError: grace(directives.staleIfError, settings.staleIfError),
    shareable: allowsSharing(directives),
  };
}

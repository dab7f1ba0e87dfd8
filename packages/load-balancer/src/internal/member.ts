import type { Upstream, UpstreamSettings, UpstreamState } from '../upstream.ts';

/** The pool's own view of a server. Counters are plain fields, read by metrics. */
export class Member implements Upstream {
  readonly url: string;
  readonly hostname: string | undefined;
  readonly zone: string | undefined;
  readonly priority: number;
  weight: number;
  /** What slow start leaves of its weight, above 0 to 1. */
  ramp = 1;
  inFlight = 0;
  /** Its index among those that may be chosen; -1: not among them. */
  seat = -1;

  draining = false;
  /** What active checks say, and how many in a row said otherwise. */
  down = false;
  contrary = 0;
  checksPassed = 0;
  checksFailed = 0;
  /** Why the last check failed, in a few words; '' if it did not. */
  checkError = '';

  ejected = false;
  /** When an ejected one may be tried again; of the others, when the last ejection ended. On the pool's clock. */
  returnsAt = 0;
  /** How long the last ejection was, ms; 0 if there was none. */
  ejectedFor = 0;
  /** Failures since the last success. */
  failuresInARow = 0;
  /** Outcomes at the last review of success rates. */
  reviewedOk = 0;
  reviewedFailures = 0;
  /** When slow start began, and when its share changes next; the latter is infinite at full share. */
  rampSince = 0;
  rampDue: number = Number.POSITIVE_INFINITY;

  latencyMs = 0;
  /** When `latencyMs` was brought up to date. */
  latencyAt = 0;

  succeeded = 0;
  failed = 0;
  ignored = 0;
  ejections = 0;

  constructor({ url, hostname, zone, priority, weight }: UpstreamSettings) {
    this.url = url;
    this.hostname = hostname;
    this.zone = zone;
    this.priority = priority;
    this.weight = weight;
  }

  get state(): UpstreamState {
    if (this.draining) return 'draining';
    if (this.down) return 'down';
    return this.ejected ? 'ejected' : 'up';
  }

  /** Leases handed out, ever. */
  get picked(): number {
    return this.succeeded + this.failed + this.ignored + this.inFlight;
  }

  get effectiveWeight(): number {
    return this.weight * this.ramp;
  }
}

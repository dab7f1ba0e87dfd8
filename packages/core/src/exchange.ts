import type { BodyCapability } from './body.ts';
import type { Key } from './key.ts';

/** One HTTP request and its response, the same in every framework. Everything that costs is made when first asked for. */
export interface Exchange<Raw = unknown> {
  readonly method: string;
  /** The request target as received, query included. */
  readonly url: string;
  /** The target's path as received: no query, no mount point stripped, nothing decoded. */
  readonly path: string;
  /** `Host` or `:authority`, or what a trusted proxy forwarded; '' if there is none. */
  readonly host: string;
  readonly protocol: 'http' | 'https';
  /** The client's address in canonical form, seen through trusted proxies only; 'unknown' where the host has none. */
  readonly ip: string;
  /** Monotonic ms at first asking; one clock read, shared by all policies. */
  readonly startedAt: number;
  /** Aborts when the client goes away before the response has ended. */
  readonly signal: AbortSignal;
  /** The framework's own object: a request, a context, an event. */
  readonly raw: Raw;
  /** A request header; repeated fields are joined with a comma. */
  header(lowerName: string): string | undefined;
  /** Sets a response header. The handler wins if it sets the same one. Survives errors, redirects and raw responses. */
  setHeader(name: string, value: string): void;
  /** Adds a line to a response header, beside what the handler set. Applied when the head is sent. */
  appendHeader(name: string, value: string): void;
  get<T>(key: Key<T>): T | undefined;
  set<T>(key: Key<T>, value: T): void;
  /** Keeps the host alive for work that goes on behind the response. A rejection is reported, never unhandled. */
  waitUntil(work: Promise<unknown>): void;
  /** Request and response bodies; undefined where the host cannot give them. */
  readonly body?: BodyCapability | undefined;
}

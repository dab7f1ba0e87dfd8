/** Why a request went to the origin (RFC 9211, 2.2). */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale';

export interface ForwardedDetails {
  /** The origin's status. */
  readonly status?: number;
  /** Seconds of freshness that the answer has; negative if it is stale. */
  readonly ttl?: number;
  readonly stored?: boolean;
  readonly collapsed?: boolean;
  /** A token. */
  readonly detail?: string | undefined;
}

/** Writes members of `Cache-Status` (RFC 9211) under one name. */
export interface CacheStatus {
  hit(ttl: number): string;
  forwarded(why: Forwarded, details?: ForwardedDetails): string;
}

/** @param name printable ASCII; a token is written as such, anything else as a string */
export function cacheStatus(name: string): CacheStatus {
  const member = /^[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*$/.test(name)
    ? name
    : `"${name.replace(/["\\]/g, '\\$&')}"`;
  return {
    hit: (ttl) => `${member}; hit; ttl=${ttl}`,
    forwarded(why, { status, ttl, stored, collapsed, detail } = {}) {
      let text = `${member}; fwd=${why}`;
      if (status !== undefined) text += `; fwd-status=${status}`;
      if (ttl !== undefined) text += `; ttl=${ttl}`;
      if (stored === true) text += '; stored';
      if (collapsed === true) text += '; collapsed';
      if (detail !== undefined) text += `; detail=${detail}`;
      return text;
    },
  };
}

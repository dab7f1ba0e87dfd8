import { InvalidOptionError, knownOptions, text } from '@weir/core';
import { keyOfUrl } from './cache-key.ts';
import { groupTag } from './groups.ts';
import type { Purge } from './purges.ts';

/** What to purge, named in one of four ways, and how. */
export type PurgeRequest = {
  /** Only make it stale: it is revalidated before it is used, or used where a stale response may be. @default false */
  readonly soft?: boolean;
} & (
  | {
      /** An absolute URL: all variants of it. Host and path as clients send them. */
      readonly url: string;
    }
  | {
      /** All URLs that begin so, such as `https://example.org/news/`. Looks at every key. */
      readonly prefix: string;
    }
  | {
      /** All responses with that tag, wherever. */
      readonly tag: string;
    }
  | {
      /** All responses of that cache group (RFC 9875) of `origin`. */
      readonly group: string;
      /** Scheme and host, such as `https://example.org`. */
      readonly origin: string;
    }
);

/** Reads a purge as it came from an operator. @throws InvalidOptionError if it names nothing, or more than one thing. */
export function readPurge(request: unknown): Purge {
  knownOptions(request, ['url', 'prefix', 'tag', 'group', 'origin', 'soft'], 'purge');
  const { url, prefix, tag, group, origin, soft = false } = request as Record<string, unknown>;
  if (typeof soft !== 'boolean') throw new InvalidOptionError('soft', 'true or false', soft);
  if ([url, prefix, tag, group].filter((each) => each !== undefined).length !== 1)
    throw new InvalidOptionError('purge', 'given one of `url`, `prefix`, `tag` and `group`', request);
  if ((group === undefined) !== (origin === undefined))
    throw new InvalidOptionError('origin', 'given with `group`, and only then', origin);
  if (tag !== undefined) return { by: 'tag', value: text(tag, 'tag'), soft };
  if (group !== undefined) {
    const key = keyOf(origin, 'origin');
    return { by: 'tag', value: groupTag(key.slice(0, -1), text(group, 'group')), soft };
  }
  if (prefix !== undefined) return { by: 'prefix', value: keyOf(prefix, 'prefix'), soft };
  return { by: 'key', value: keyOf(url, 'url'), soft };
}

function keyOf(url: unknown, option: string): string {
  const key = typeof url === 'string' ? keyOfUrl(url) : undefined;
  if (key === undefined) throw new InvalidOptionError(option, 'an absolute http or https URL', url);
  return key;
}

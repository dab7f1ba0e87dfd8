import type { RouteConfig } from '../config.ts';

/** Whether a request is for a route. */
export type Match = (method: string, host: string, path: string) => boolean;

/** The host without its port, in lower case. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

export function matcher({ match: { host, path, method }, cors }: RouteConfig): Match {
  const hosts = host === undefined ? () => true : hostMatcher(host.toLowerCase());
  const paths = path === undefined ? () => true : pathMatcher(path);
  const methods = method === undefined ? undefined : new Set([method].flat());
  // Who may GET may also ask for the head alone.
  if (methods?.has('GET')) methods.add('HEAD');
  // A browser asks ahead with OPTIONS, whatever it is going to send.
  if (cors !== undefined) methods?.add('OPTIONS');
  return (asked, name, target) =>
    (methods === undefined || methods.has(asked)) && hosts(name) && paths(target);
}

function hostMatcher(host: string): (name: string) => boolean {
  if (!host.startsWith('*.')) return (name) => name === host;
  const suffix = host.slice(1);
  return (name) => name.length > suffix.length && name.endsWith(suffix);
}

/** `/api/*` is everything below `/api/`, and `/api` itself. */
function pathMatcher(path: string): (target: string) => boolean {
  if (!path.endsWith('*')) return (target) => target === path;
  const prefix = path.slice(0, -1);
  const itself = prefix.endsWith('/') ? prefix.slice(0, -1) : undefined;
  return (target) => target.startsWith(prefix) || target === itself;
}

/** Most paths: nothing encoded, and no segment that begins with a dot. */
const plain = /^(?:\/[\w~!$&'()*+,=:@-][\w~!$&'()*+,=:@.-]*)+\/?$/;

/**
 * Whether a path says plainly where it leads. One with `.` or `..` segments, encoded or not, would be matched here as one
 * thing and may be taken for another by an upstream that resolves it.
 */
export function isPlainPath(path: string): boolean {
  if (plain.test(path)) return true;
  if (!path.startsWith('/')) return path === '*';
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return false;
  }
  return !decoded.includes('\0') && !/(?:^|[/\\])\.{1,2}(?:[/\\;]|$)/.test(decoded);
}

import type { Exchange, Pairs } from '@weir/core';
import { HeaderFields } from '../header-fields.ts';
import type { OutgoingRequest } from '../options.ts';
import { addForwarded, isForwardingField, isWrittenHere } from './forwarded.ts';
import { hopByHop, namedIn } from './hop-by-hop.ts';
import { peerOf, protocolVersion } from './native-request.ts';
import type { FieldChanges, Settings } from './settings.ts';

/** What is asked of an upstream, whichever it will be. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly headers: string[];
  /** What the request is about, for strategies that hash. */
  readonly key: string | undefined;
}

/** Why a request cannot be passed on: a status and a sentence. */
export interface Unsuitable {
  readonly status: 400 | 501;
  readonly detail: string;
}

/** What stands between this proxy and the upstream in place of what the client sent. */
export function requestHead(x: Exchange, received: Pairs, settings: Settings): RequestHead | Unsuitable {
  let target = targetOf(x);
  if (settings.rewrite !== undefined) target = settings.rewrite(target, x);
  const built = requestFields(x, received, settings);
  if (!Array.isArray(built)) return built;
  if (settings.requestFields !== undefined) changeFields(built, settings.requestFields);
  if (settings.onRequest !== undefined) {
    const request: OutgoingRequest = { method: x.method, target, headers: new HeaderFields(built) };
    settings.onRequest(request, x);
    target = request.target;
  }
  if (!isTarget(target)) return { status: 400, detail: 'The target of this request cannot be passed on.' };
  return { method: x.method, target, headers: built, key: settings.key?.(x) };
}

/** The received fields without those that end here, and with those that begin here. */
function requestFields(x: Exchange, received: Pairs, settings: Settings): string[] | Unsuitable {
  const pairs: string[] = [];
  let named: ReadonlySet<string> | undefined;
  let hosts = 0;
  let via = '';
  let cookie: string | undefined;
  let peer: string | undefined | null = null;
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] as string;
    const value = received[i + 1] as string;
    switch (name) {
      case 'host':
        hosts += 1;
        if (hosts > 1) return { status: 400, detail: 'The request names more than one host.' };
        if (settings.clientHost) pairs.push(name, value);
        continue;
      case 'connection':
        named = join(named, namedIn(value));
        continue;
      case 'transfer-encoding':
        // A coding that is not undone here could not be told to the upstream either.
        if (value.trim().toLowerCase() !== 'chunked') {
          return { status: 501, detail: 'The transfer coding of this request is not supported.' };
        }
        continue;
      case 'expect':
        // Our own server has answered it.
        continue;
      case 'cookie':
        // HTTP/2 sends a field for each; HTTP/1.1 allows one (RFC 9113, 8.2.3).
        cookie = cookie === undefined ? value : `${cookie}; ${value}`;
        continue;
      case 'via':
        via += `${value}, `;
        continue;
      default:
    }
    if (hopByHop.has(name)) continue;
    if (isForwardingField(name)) {
      if (isWrittenHere(name)) continue;
      // Others, such as a port, are believed if they come from a hop that was trusted to name the client.
      if (peer === null) peer = peerOf(x);
      if (peer === undefined || peer === x.ip) continue;
    }
    pairs.push(name, value);
  }
  if (cookie !== undefined) pairs.push('cookie', cookie);
  if (named !== undefined) dropNamed(pairs, named);
  if (settings.clientHost && hosts === 0 && x.host !== '') pairs.push('host', x.host);
  if (settings.via !== undefined) {
    pairs.push('via', `${via}${protocolVersion(x)} ${settings.via}`);
  } else if (via !== '') pairs.push('via', via.slice(0, -2));
  if (settings.forwarded !== false) {
    addForwarded(pairs, x, peer === null ? peerOf(x) : peer, settings.forwarded);
  }
  return pairs;
}

function join(
  one: ReadonlySet<string> | undefined,
  other: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return new Set([...one, ...other]);
}

function dropNamed(pairs: string[], named: ReadonlySet<string>): void {
  let kept = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    if (named.has(pairs[i] as string)) continue;
    pairs[kept] = pairs[i] as string;
    pairs[kept + 1] = pairs[i + 1] as string;
    kept += 2;
  }
  pairs.length = kept;
}

/** Path and query as received; of an absolute-form target only these, so that it cannot name another host. */
function targetOf(x: Exchange): string {
  const { url } = x;
  if (url.charCodeAt(0) === 47) return url;
  const query = url.indexOf('?');
  return query === -1 ? x.path : x.path + url.slice(query);
}

const printable = /^\/[\x21-\xff]*$/;

function isTarget(target: unknown): boolean {
  return typeof target === 'string' && printable.test(target);
}

export function hasField(pairs: Pairs, lowerName: string): boolean {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === lowerName) return true;
  return false;
}

/** Sets and removes fields in a list of pairs. */
export function changeFields(pairs: string[], { removed, added }: FieldChanges): void {
  dropNamed(pairs, removed);
  for (const text of added) pairs.push(text);
}

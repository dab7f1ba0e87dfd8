import type { OutgoingHttpHeaders } from 'node:http';
import { slot } from '../internal/exchange.ts';
import type { NodeExchange, NodeResponse } from './exchange.ts';

export type WriteHead = (status: number, reason?: unknown, headers?: unknown) => NodeResponse;

/** What a hooked response carries: two own properties, the same functions for every response, no closure. */
interface Hooked {
  [slot]?: NodeExchange;
  writeHead: WriteHead;
}

/** Makes the response tell its exchange of the head, once. */
export function hookHead(x: NodeExchange): void {
  if (x.nativeWriteHead !== undefined) return;
  const res = x.res as unknown as Hooked;
  x.nativeWriteHead = res.writeHead;
  res[slot] = x;
  res.writeHead = writeHead;
}

/** Makes the response, hooked before, tell its exchange of the end. */
export function hookEnd(x: NodeExchange): void {
  x.res.on('close', closed);
}

function closed(this: NodeResponse): void {
  (this as unknown as Hooked)[slot]?.closed();
}

function writeHead(this: NodeResponse, status: number, reason?: unknown, headers?: unknown): NodeResponse {
  const x = (this as unknown as Hooked)[slot] as NodeExchange;
  if (x.restores) restore(x);
  if (x.appended === undefined && !x.intercepted) {
    x.nativeWriteHead?.call(this, status, reason, headers);
    x.headSent(status);
    return this;
  }
  const phrase = typeof reason === 'string' ? reason : undefined;
  const given = headers ?? (phrase === undefined ? reason : undefined);
  if (!x.intercepted && x.req.httpVersionMajor < 2 && this.getHeaderNames().length === 0) {
    const lines = [...linesOf(given), ...(x.appended ?? [])];
    x.appended = undefined;
    if (phrase === undefined) x.nativeWriteHead?.call(this, status, lines);
    else x.nativeWriteHead?.call(this, status, phrase, lines);
    x.headSent(status);
    return this;
  }
  // Node keeps headers given here out of `getHeaders()`, where taps and appended lines must see them.
  this.statusCode = status;
  if (phrase !== undefined && x.req.httpVersionMajor < 2) this.statusMessage = phrase;
  setPairs(this, linesOf(given) as string[]);
  if (x.intercepted && !x.nodeBody.passing && x.nodeBody.headed()) return this;
  sendHead(x);
  return this;
}

/** Headers in any of the forms that `writeHead` takes, as the flat list that it writes as it stands. */
function linesOf(given: unknown): unknown[] {
  if (typeof given !== 'object' || given === null) return [];
  if (Array.isArray(given)) return Array.isArray(given[0]) ? given.flat() : given;
  const lines: unknown[] = [];
  for (const name in given) {
    const value = (given as OutgoingHttpHeaders)[name];
    if (value !== undefined) lines.push(name, value);
  }
  return lines;
}

/** Sets headers of policies again that the framework has wiped on its way to an error page. */
function restore(x: NodeExchange): void {
  const { res, policyHeaders = [] } = x;
  for (let i = 0; i < policyHeaders.length; i += 2) {
    const name = policyHeaders[i] as string;
    if (!res.hasHeader(name)) res.setHeader(name, policyHeaders[i + 1] as string);
  }
}

/** Sends the head as it stands on the response, with the lines that policies appended. */
function sendHead(x: NodeExchange): void {
  const { res, appended } = x;
  if (appended !== undefined) {
    x.appended = undefined;
    for (let i = 0; i < appended.length; i += 2)
      appendTo(res, appended[i] as string, appended[i + 1] as string);
  }
  x.nativeWriteHead?.call(res, res.statusCode);
  x.headSent(res.statusCode);
}

/** Adds a line to a header, beside those it has. */
function appendTo(res: NodeResponse, name: string, value: string): void {
  const before = res.getHeader(name);
  if (before === undefined) res.setHeader(name, value);
  else res.setHeader(name, [...(Array.isArray(before) ? before : [String(before)]), value]);
}

/** Sets headers from a flat list: each replaces what stood there before, repeats within the list are kept. */
export function setPairs(res: NodeResponse, pairs: readonly string[]): void {
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i] as string;
    let value: string | string[] = pairs[i + 1] as string;
    let first = true;
    for (let j = 0; j < pairs.length && first; j += 2) {
      if (j === i || !sameName(pairs[j] as string, name)) continue;
      first = j > i;
      value = [value, pairs[j + 1] as string].flat();
    }
    if (first) res.setHeader(name, value);
  }
}

function sameName(a: string, b: string): boolean {
  return a === b || (a.length === b.length && a.toLowerCase() === b.toLowerCase());
}

import { randomFillSync, randomUUID } from 'node:crypto';
import { createKey, type Key, type Policy } from '@weir/core';

/** The id of a request, also sent upstream and back as `x-request-id`. */
export const requestIdKey: Key<string> = createKey<string>('weir:request-id');

const acceptable = /^[\w.:/+=-]{1,128}$/;
/** W3C Trace Context, version 00. */
const traceparent = /^[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?$/;

/**
 * Gives each request an id, or keeps the one it came with, and a `traceparent` if it has none, so that what happens to it
 * here and upstream can be found by one word. An id is a label, never a key.
 */
export const requestId: Policy = {
  name: 'request-id',
  enter(x) {
    const given = x.header('x-request-id');
    const id = given !== undefined && acceptable.test(given) ? given : randomUUID();
    x.set(requestIdKey, id);
    x.setHeader('x-request-id', id);
    if (x.body === undefined) return;
    if (id !== given) x.body.setRequestHeader('x-request-id', id);
    const trace = x.header('traceparent');
    if (trace !== undefined && traceparent.test(trace)) return;
    x.body.setRequestHeader('traceparent', newTraceparent());
  },
};

/** Random bytes for 170 requests: asking for them one by one would cost more than all else here. */
const pool = Buffer.allocUnsafe(170 * 24);
let used = pool.length;

function newTraceparent(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const trace = pool.toString('hex', used, used + 16);
  const span = pool.toString('hex', used + 16, used + 24);
  used += 24;
  return `00-${trace}-${span}-01`;
}

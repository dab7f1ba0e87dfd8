import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Logger } from 'pino';

type Message = { readonly [name: string]: unknown };

/** What happens seldom, each time of importance, by channel: and how important. */
const told: { readonly [what: string]: 'info' | 'warn' | 'error' } = {
  'load-balancer:ejected': 'warn',
  'load-balancer:returned': 'info',
  'load-balancer:down': 'warn',
  'load-balancer:up': 'info',
  'load-balancer:draining': 'info',
  'load-balancer:drained': 'info',
  'load-balancer:resumed': 'info',
  'load-balancer:removed': 'info',
  'load-balancer:added': 'info',
  'load-balancer:panic': 'warn',
  'gateway:reloaded': 'info',
  'gateway:reload-failed': 'error',
  'dashboard:action': 'info',
};

/**
 * Writes to a log what happens in this process: servers and breakers that change their state, a Redis that is lost and
 * comes back, reloads, what operators do. A state is told once, however many requests it hits.
 *
 * @returns a function that ends it
 *
 * @example
 * logEvents(pino());
 */
export function logEvents(logger: Logger): () => void {
  const ends: (() => void)[] = [];
  const on = (what: string, listener: (message: Message) => void): void => {
    const heard = (message: unknown): void => listener(message as Message);
    subscribe(`weir:${what}`, heard);
    ends.push(() => unsubscribe(`weir:${what}`, heard));
  };
  for (const [what, level] of Object.entries(told)) {
    on(what, (message) => logger[level]({ event: what, ...plain(message) }));
  }
  const open = new Set<string>();
  // While it is open a breaker probes, and turns half-open and open again: that is no news.
  on('circuit-breaker:state', ({ breaker, key, to }) => {
    const id = `${breaker}\n${key}`;
    if (to === 'closed' ? !open.delete(id) : open.has(id) || to !== 'open') return;
    if (to === 'open') open.add(id);
    logger[to === 'open' ? 'warn' : 'info']({
      event: to === 'open' ? 'circuit-breaker:opened' : 'circuit-breaker:closed',
      ...plain({ breaker, key }),
    });
  });
  return () => {
    for (const end of ends.splice(0)) end();
  };
}

/** Errors by their message; only what JSON can carry, and nothing of a request. */
function plain(message: Message): Message {
  const fields: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(message)) {
    if (value instanceof Error) fields[name] = value.message;
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      fields[name] = value;
  }
  return fields;
}

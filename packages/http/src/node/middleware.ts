import type { Policy, Reply } from '@weir/core';
import { gone, run } from '../internal/run.ts';
import type { NodeExchange } from './exchange.ts';
import { sendReply } from './reply.ts';

/** Runs policies on an exchange and answers natively, or goes on. Synchronous as long as the policies are. */
export function handle(x: NodeExchange, policies: readonly Policy[], proceed: () => void): void {
  const result = run(x, policies);
  if (result === undefined) proceed();
  else if (result instanceof Promise) void result.then((reply) => settle(x, reply, proceed));
  else sendReply(x, result);
}

function settle(x: NodeExchange, reply: Reply | undefined, proceed: () => void): void {
  if (reply === undefined) proceed();
  else if (reply !== gone) sendReply(x, reply);
}

import { type Leave, type Policy, problem, type Reply } from '@weir/core';
import { discard, type HostExchange } from './exchange.ts';

/** Instead of a reply: the exchange ended while a policy was still deciding; there is nobody to answer. */
export const gone: Reply = { status: 0 };

const failure: Reply = problem(500, { kind: 'error' });

type Entered = ReturnType<Policy['enter']>;

/**
 * Lets an exchange enter each policy in turn, and keeps their leaves. Synchronous as long as the policies are.
 *
 * @returns undefined if all passed, the reply of the one that answered, or {@link gone}.
 */
export function run(
  x: HostExchange,
  policies: readonly Policy[],
  from = 0,
): Reply | undefined | Promise<Reply | undefined> {
  for (let i = from; i < policies.length; i += 1) {
    const policy = policies[i] as Policy;
    x.entering = policy;
    let result: Entered;
    try {
      result = policy.enter(x);
    } catch (error) {
      result = fault(x, policy, error);
    }
    if (result === undefined) continue;
    if (typeof result === 'function') {
      x.addLeave(result, policy);
      continue;
    }
    if (isThenable(result)) return wait(x, policies, i, result);
    return answer(x, policy, result);
  }
  x.entering = undefined;
  return undefined;
}

async function wait(
  x: HostExchange,
  policies: readonly Policy[],
  i: number,
  pending: PromiseLike<unknown>,
): Promise<Reply | undefined> {
  const policy = policies[i] as Policy;
  // From here on the client may go away unnoticed.
  x.watch();
  let result: Reply | Leave | undefined;
  try {
    result = (await pending) as Reply | Leave | undefined;
  } catch (error) {
    result = fault(x, policy, error);
  }
  if (typeof result === 'function') {
    x.addLeave(result, policy);
    result = undefined;
  }
  if (x.over) {
    x.entering = undefined;
    if (result !== undefined) discard(result, new Error('the client has gone'));
    return gone;
  }
  if (result === undefined) return run(x, policies, i + 1);
  return answer(x, policy, result);
}

function answer(x: HostExchange, policy: Policy, reply: Reply): Reply {
  x.entering = undefined;
  x.answered(reply, policy.name);
  return reply;
}

function fault(x: HostExchange, policy: Policy, error: unknown): Reply | undefined {
  x.settings.fault(error, `entering policy "${policy.name}"`);
  if (policy.onFault === 'open') return undefined;
  x.error = error;
  return failure;
}

function isThenable<T>(value: Reply | PromiseLike<T>): value is PromiseLike<T> {
  return 'then' in value && typeof value.then === 'function';
}

import type { Exchange } from '@weir/core';
import type { AcquireOptions, Lease, Pool } from './pool.ts';

/**
 * Chooses a server for an exchange: by the client's address and, if the pool is sticky, by the session that the client
 * brings. Call {@link stick} once it is settled that this server answers.
 */
export function acquireFor(pool: Pool, x: Exchange, options?: AcquireOptions): Lease | undefined {
  return pool.acquire({ ip: x.ip, session: pool.sticky?.read(x), ...options });
}

/**
 * Tells the client, on its response, at which server its session is, unless it knows. Does nothing if the pool is not
 * sticky. To be called once an exchange, before the head of the response is sent.
 */
export function stick(pool: Pool, x: Exchange, lease: Lease): void {
  const { sticky } = pool;
  const token = sticky === undefined ? undefined : pool.session(lease.upstream);
  if (token !== undefined && token !== sticky?.read(x)) sticky?.write(x, token);
}

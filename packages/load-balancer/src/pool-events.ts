import type { Upstream } from './upstream.ts';

/**
 * What happens to servers of a pool:
 * - `added`, `removed`: it joined or left; requests in flight may outlive its membership;
 * - `ejected`, `returned`: passive checks left it out for a while, and that while is over;
 * - `down`, `up`: active checks say so;
 * - `draining`, `drained`, `resumed`: it is given nothing new; nothing is in flight any more; it was put back.
 */
export type PoolEventType =
  | 'added'
  | 'removed'
  | 'ejected'
  | 'returned'
  | 'down'
  | 'up'
  | 'draining'
  | 'drained'
  | 'resumed';

/** Something happened to a server of a pool. */
export interface PoolEvent {
  readonly type: PoolEventType;
  readonly upstream: Upstream;
}

export type PoolListener = (event: PoolEvent) => void;

import { oneOf } from '@weir/core';
import type { Lease, Release } from '../pool.ts';
import type { Member } from './member.ts';

/** Where a lease goes back to. */
export interface Lender {
  released(member: Member, result: Release, startedAt: number): void;
}

export class MemberLease implements Lease {
  readonly upstream: Member;
  /** Until it has been given back. */
  #pool: Lender | undefined;
  readonly #startedAt: number;

  /** @param startedAt on the pool's clock; -1 if nobody wants to know */
  constructor(pool: Lender, upstream: Member, startedAt: number) {
    this.upstream = upstream;
    this.#pool = pool;
    this.#startedAt = startedAt;
  }

  release(result: Release): void {
    const pool = this.#pool;
    if (pool === undefined) return;
    if (result.outcome !== 'ok') oneOf(result.outcome, 'outcome', outcomes);
    this.#pool = undefined;
    pool.released(this.upstream, result, this.#startedAt);
  }

  [Symbol.dispose](): void {
    this.release({ outcome: 'ignore' });
  }
}

const outcomes = ['ok', 'failure', 'ignore'] as const;

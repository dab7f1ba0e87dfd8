import { entityKey } from '@weir/redis';

/** The names of what Redis keeps for one part of a cache. They share a slot. */
export class Shard {
  readonly base: string;
  /** Where the end of locks is published. */
  readonly channel: string;
  readonly sequence: string;
  readonly cleared: string;
  readonly ends: string;
  /** How much the server's clock is ahead of ours, at most; when that was found out. */
  ahead = 0;
  timedAt: number = Number.NEGATIVE_INFINITY;

  constructor(prefix: string, cache: string, index: number) {
    this.base = entityKey(prefix, cache, String(index));
    this.channel = `${this.base}wake`;
    this.sequence = `${this.base}seq`;
    this.cleared = `${this.base}clear`;
    this.ends = `${this.base}ends`;
  }

  /** `name`: the hash of a key or tag. */
  entry(name: string): string {
    return `${this.base}e:${name}`;
  }
  number(name: string): string {
    return `${this.base}n:${name}`;
  }
  lock(name: string): string {
    return `${this.base}l:${name}`;
  }
  tag(name: string): string {
    return `${this.base}t:${name}`;
  }
}

import { InvalidOptionError, integer, knownOptions } from '@weir/core';
import { sha1 } from './internal/digest.ts';

export interface ScriptOptions {
  /** How many keys it is given: a number, or 'any'. All of one run must share a hash tag. */
  readonly keys: number | 'any';
  /**
   * Whether running it twice is the same as running it once. If not, a client that sends a command anew after a lost
   * connection, as ioredis does, finds that the script refuses to run again.
   *
   * @default false
   */
  readonly idempotent?: boolean;
  /** Whether strings in the answer come as bytes (a Buffer). @default false */
  readonly binary?: boolean;
}

/** A Lua script, made once and run by `RedisClient.run`. Immutable. */
export interface Script {
  readonly source: string;
  /** What EVALSHA knows it by. */
  readonly sha: string;
  readonly keys: number | 'any';
  readonly idempotent: boolean;
  readonly binary: boolean;
}

/** Answered by a script that is sent a second time. The last argument is the fence: a byte that is '1' until then. */
const guard = `if ARGV[#ARGV] ~= '1' then return redis.error_reply('WEIRRERUN sent twice') end\n`;

/**
 * Makes a script.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const add = script("return redis.call('INCRBY', KEYS[1], ARGV[1])", { keys: 1 });
 * await client.run(add, [`{visits}`], [2]);
 */
export function script(source: string, options: ScriptOptions): Script {
  if (typeof source !== 'string' || source === '') {
    throw new InvalidOptionError('source', 'the text of a Lua script', source);
  }
  knownOptions(options, ['keys', 'idempotent', 'binary'], 'script');
  const { keys, idempotent = false, binary = false } = options;
  if (keys !== 'any') integer(keys, 'keys', 1, 1024);
  const text = idempotent ? source : guard + source;
  return { source: text, sha: sha1(text), keys, idempotent, binary };
}

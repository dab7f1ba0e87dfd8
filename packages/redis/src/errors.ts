import { WeirError } from '@weir/core';

/** What was given is no client that this package knows. Thrown at construction. */
export class UnknownRedisClientError extends WeirError {
  override readonly name: string = 'UnknownRedisClientError';

  /** @param received never shown in full: a URL may hold a password. */
  constructor(received: unknown) {
    const what =
      typeof received === 'string'
        ? 'a string; make a client of it first'
        : received === null
          ? 'null'
          : `a value of type ${typeof received}`;
    super(
      'ERR_WEIR_REDIS_CLIENT',
      `a client of ioredis 5 or 6, or of redis (node-redis) 4 to 6, is needed: single, Sentinel or Cluster; got ${what}`,
    );
  }
}

/** The command was not sent, or its connection was lost before the answer. In the second case it may have been done. */
export class RedisUnavailableError extends WeirError {
  override readonly name: string = 'RedisUnavailableError';
  /** Whether the command had been sent. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, cause?: unknown) {
    super('ERR_WEIR_REDIS_UNAVAILABLE', message, cause === undefined ? undefined : { cause });
    this.sent = sent;
  }
}

/** No answer came within the deadline. The command may have been done, or may still be. */
export class RedisTimeoutError extends WeirError {
  override readonly name: string = 'RedisTimeoutError';

  constructor(ms: number) {
    super('ERR_WEIR_REDIS_TIMEOUT', `Redis gave no answer within ${ms} ms`);
  }
}

/** Redis answered with an error, such as OOM or READONLY. */
export class RedisReplyError extends WeirError {
  override readonly name: string = 'RedisReplyError';
  /** The first word of the answer: 'OOM', 'READONLY', 'ERR', ... */
  readonly reply: string;

  constructor(cause: Error) {
    super('ERR_WEIR_REDIS_REPLY', `Redis answered: ${cause.message}`, { cause });
    this.reply = codeOf(cause);
  }
}

/** The server cannot run what is needed. */
export class RedisVersionError extends WeirError {
  override readonly name: string = 'RedisVersionError';

  constructor(version: string) {
    super(
      'ERR_WEIR_REDIS_VERSION',
      `Redis 5 or later, or Valkey, is needed; this server is Redis ${version}`,
    );
  }
}

/** The first word of an answer in capitals, or '' if the error is no answer of a server. */
export function codeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  return /^-?([A-Z][A-Z0-9_]+)(?: |$)/.exec(message)?.[1] ?? '';
}

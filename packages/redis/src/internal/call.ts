import { Deadline } from '@weir/core';
import type { CommandOptions, RedisReply } from '../redis-client.ts';
import type { Script } from '../script.ts';
import type { Argument } from './driver.ts';

/** One command on its way. */
export class Call extends Deadline {
  readonly command: readonly Argument[];
  readonly key: string | undefined;
  /** Present: to be sent in full if Redis does not have it. */
  readonly script: Script | undefined;
  readonly binary: boolean;
  readonly timeoutMs: number;
  /** Of the breaker. */
  readonly permit: number;
  readonly late: CommandOptions['late'];
  readonly #expired: (call: Call) => void;
  readonly promise: Promise<RedisReply>;
  resolve!: (reply: RedisReply) => void;
  reject!: (error: Error) => void;
  /** It has an outcome. */
  over = false;

  constructor(
    command: readonly Argument[],
    key: string | undefined,
    script: Script | undefined,
    binary: boolean,
    timeoutMs: number,
    permit: number,
    late: CommandOptions['late'],
    expired: (call: Call) => void,
  ) {
    super();
    this.command = command;
    this.key = key;
    this.script = script;
    this.binary = binary;
    this.timeoutMs = timeoutMs;
    this.permit = permit;
    this.late = late;
    this.#expired = expired;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  expire(): void {
    this.#expired(this);
  }
}

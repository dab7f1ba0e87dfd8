import { type Breaker, createBreaker } from '@weir/circuit-breaker';
import {
  type Clock,
  channel,
  componentName,
  Deadlines,
  InvalidOptionError,
  type Json,
  type Sample,
} from '@weir/core';
import { codeOf, RedisReplyError, RedisTimeoutError, RedisUnavailableError } from '../errors.ts';
import type {
  ChannelListener,
  CommandOptions,
  RedisClient,
  RedisReply,
  Subscription,
} from '../redis-client.ts';
import type { Script } from '../script.ts';
import { Call } from './call.ts';
import type { Argument, Driver, DriverEvents, Topology } from './driver.ts';
import { Readiness } from './readiness.ts';
import { Subscriptions } from './subscriptions.ts';
import { versionFault } from './version.ts';

interface Settings {
  readonly name: string | undefined;
  readonly timeoutMs: number;
  readonly failures: number;
  readonly retryEvery: number;
  readonly clock: Clock;
}

/** Answers that say that Redis cannot serve now, whatever it is asked. Others are the fault of the question. */
const outage = new Set([
  ...['OOM', 'READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'BUSY', 'MISCONF', 'NOREPLICAS', 'TRYAGAIN'],
  ...['NOAUTH', 'WRONGPASS', 'NOPERM', 'UNBLOCKED', 'MOVED'],
]);
const failureChannel = channel('weir:redis:failure');

export class View implements RedisClient {
  readonly kind = 'redis';
  readonly name: string;
  readonly breaker: Breaker;
  readonly #driver: Driver;
  readonly #timeoutMs: number;
  readonly #readiness: Readiness;
  readonly #subscriptions: Subscriptions;
  readonly #deadlines = new Deadlines();
  readonly #expired = (call: Call): void => this.#fail(call, new RedisTimeoutError(call.timeoutMs));
  /** What has been sent and not answered. */
  readonly #underWay = new Set<Call>();
  #lastError: unknown;
  readonly #counts = { ok: 0, failed: 0, late: 0, refused: 0, loads: 0 };
  closed = false;

  constructor(driver: (events: DriverEvents) => Driver, settings: Settings) {
    this.#timeoutMs = settings.timeoutMs;
    this.#driver = driver({
      lost: (all) => {
        if (all) this.#failAll('the connection was lost before the answer came');
      },
      error: (error) => {
        this.#lastError = error;
      },
    });
    this.name = componentName('redis', settings.name);
    this.breaker = createBreaker({
      name: this.name,
      consecutiveFailures: settings.failures,
      openFor: settings.retryEvery,
      clock: settings.clock,
    });
    this.#readiness = new Readiness(this.#driver);
    this.#subscriptions = new Subscriptions(this.#driver);
  }

  get library(): 'ioredis' | 'node-redis' {
    return this.#driver.library;
  }

  get topology(): Topology {
    return this.#driver.topology;
  }

  run(
    script: Script,
    keys: readonly string[],
    args: readonly (Argument | number)[],
    options?: CommandOptions,
  ): Promise<RedisReply> {
    if (script.keys !== 'any' && script.keys !== keys.length) {
      throw new InvalidOptionError('keys', `as many keys as the script takes (${script.keys})`, keys);
    }
    const command: Argument[] = ['evalsha', script.sha, String(keys.length), ...keys];
    for (const each of args) command.push(argumentOf(each));
    return this.#execute(command, keys[0], script, script.binary, options);
  }

  command(command: readonly Argument[], key?: string, options?: CommandOptions): Promise<RedisReply> {
    return this.#execute(command, key, undefined, options?.binary === true, options);
  }

  subscribe(name: string, listener: ChannelListener): Subscription {
    return this.#subscriptions.add(name, listener);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#subscriptions.close();
    this.#readiness.close();
    this.#failAll('the client was closed');
    this.#driver.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  snapshot(): { readonly [name: string]: Json } {
    const { library, topology, breaker } = this;
    const underWay = this.#underWay.size;
    return {
      library,
      topology,
      link: this.#driver.link(),
      breaker: breaker.state,
      underWay,
      ...this.#counts,
    };
  }

  metrics(): readonly Sample[] {
    const { ok, failed, late, refused, loads } = this.#counts;
    const labels = { client: this.name };
    const outcomes = { ok, failed, late, refused };
    return [
      ...Object.entries(outcomes).map(
        ([outcome, value]): Sample => ({
          name: 'weir_redis_commands_total',
          help: 'Commands by outcome; refused ones were not tried, because Redis was failing.',
          type: 'counter',
          labels: { ...labels, outcome },
          value,
        }),
      ),
      {
        name: 'weir_redis_script_loads_total',
        help: 'Scripts sent in full because Redis did not have them.',
        type: 'counter',
        labels,
        value: loads,
      },
    ];
  }

  #execute(
    command: readonly Argument[],
    key: string | undefined,
    script: Script | undefined,
    binary: boolean,
    options: CommandOptions | undefined,
  ): Promise<RedisReply> {
    const permit = this.closed ? 0 : this.breaker.tryAcquire();
    if (permit === 0) return Promise.reject(this.#refusal());
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const call = new Call(command, key, script, binary, timeoutMs, permit, options?.late, this.#expired);
    this.#deadlines.start(call, timeoutMs);
    const link = this.#driver.link();
    if (link === 'ready') this.#dispatch(call);
    else if (link === 'connecting')
      this.#readiness.wait(
        () => this.#dispatch(call),
        () => call.over,
      );
    else this.#fail(call, this.#unavailable('the client is not connected, and is not connecting', false));
    return call.promise;
  }

  #dispatch(call: Call): void {
    if (call.over) return;
    this.#underWay.add(call);
    this.#send(call, call.command).then(
      (reply) => this.#succeed(call, reply),
      (error: unknown) => this.#failed(call, error),
    );
  }

  #send({ key, script, binary }: Call, command: readonly Argument[]): Promise<unknown> {
    const fenced = script !== undefined && !script.idempotent;
    return this.#driver[fenced ? 'sendFenced' : 'send'](command, key, binary);
  }

  /** A command was answered with an error, or not sent. A script that Redis does not have is sent in full. */
  #failed(call: Call, error: unknown): void {
    const { script, command } = call;
    const code = script === undefined ? '' : codeOf(error);
    if (code === 'ERR') {
      void versionFault(this.#driver).then((fault) => this.#fail(call, fault ?? this.#faultOf(error)));
    } else if (code === 'NOSCRIPT' && !call.over) {
      // It did not run. Neither will it, when nobody waits any more.
      this.#counts.loads += 1;
      this.#send(call, ['eval', script!.source, ...command.slice(2)]).then(
        (reply) => this.#succeed(call, reply),
        (again: unknown) => this.#fail(call, this.#faultOf(again)),
      );
    } else this.#fail(call, this.#faultOf(error));
  }

  #succeed(call: Call, reply: unknown): void {
    if (!this.#end(call)) {
      call.late?.(reply as RedisReply);
      return;
    }
    this.breaker.success(call.permit);
    this.#counts.ok += 1;
    call.resolve(reply as RedisReply);
  }

  #fail(call: Call, error: Error): void {
    if (!this.#end(call)) return;
    const { permit, key } = call;
    const answered = error instanceof RedisReplyError;
    if (answered && !outage.has(error.reply)) this.breaker.success(permit);
    else this.breaker.failure(permit);
    if (key !== undefined && !answered) this.#driver.mend?.(key);
    this.#counts[error instanceof RedisTimeoutError ? 'late' : 'failed'] += 1;
    if (failureChannel.hasSubscribers) failureChannel.publish({ client: this.name, error });
    call.reject(error);
  }

  /** @returns whether it had no outcome yet. */
  #end(call: Call): boolean {
    if (call.over) return false;
    call.over = true;
    this.#deadlines.end(call);
    this.#underWay.delete(call);
    return true;
  }

  #faultOf(error: unknown): Error {
    const code = codeOf(error);
    if (code === 'WEIRRERUN')
      return this.#unavailable('the connection was lost before the answer came', true);
    if (code !== '') return new RedisReplyError(error as Error);
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_WEIR_')) return error;
    return new RedisUnavailableError('the client could not carry out the command', true, error);
  }

  #failAll(message: string): void {
    for (const call of [...this.#underWay]) this.#fail(call, this.#unavailable(message, true));
  }

  #unavailable(message: string, sent: boolean): RedisUnavailableError {
    return new RedisUnavailableError(message, sent, this.#lastError);
  }

  #refusal(): RedisUnavailableError {
    this.#counts.refused += 1;
    if (this.closed) return new RedisUnavailableError('the client was closed', false);
    const ms = Math.ceil(this.breaker.retryAfterMs);
    return this.#unavailable(`Redis has failed; it is tried again in ${ms} ms`, false);
  }
}

/** The clients take text and Buffers; to ioredis another array of bytes would be a list of numbers. */
function argumentOf(given: Argument | number): Argument {
  if (typeof given === 'string') return given;
  if (typeof given === 'number') return String(given);
  return given instanceof Buffer ? given : Buffer.from(given.buffer, given.byteOffset, given.byteLength);
}

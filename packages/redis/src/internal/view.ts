import { type Breaker, createBreaker } from '@weir/circuit-breaker';
import { type Clock, channel, componentName, InvalidOptionError, type Json, type Sample } from '@weir/core';
import { codeOf, RedisReplyError, RedisTimeoutError, RedisUnavailableError } from '../errors.ts';
import type {
  ChannelListener,
  CommandOptions,
  RedisClient,
  RedisReply,
  Subscription,
} from '../redis-client.ts';
import type { Script } from '../script.ts';
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

/** One command on its way. */
interface Call {
  readonly command: readonly Argument[];
  readonly key: string | undefined;
  /** Present: to be sent in full if Redis does not have it. */
  readonly script: Script | undefined;
  readonly binary: boolean;
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
  /** How to fail what has been sent and not answered. */
  readonly #underWay = new Set<(error: Error) => void>();
  /** Travels with what must not run twice. Overwritten when a connection is lost: what is sent anew then says so. */
  #fence = Buffer.from('1');
  #lastError: unknown;
  readonly #counts = { ok: 0, failed: 0, late: 0, refused: 0, loads: 0 };
  closed = false;

  constructor(driver: (events: DriverEvents) => Driver, settings: Settings) {
    this.#timeoutMs = settings.timeoutMs;
    this.#driver = driver({
      lost: (all) => this.#lost(all),
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
    for (const each of args) command.push(typeof each === 'number' ? String(each) : each);
    return this.#execute({ command, key: keys[0], script, binary: script.binary }, options);
  }

  command(command: readonly Argument[], key?: string, options?: CommandOptions): Promise<RedisReply> {
    const binary = options?.binary === true;
    return this.#execute({ command, key, script: undefined, binary }, options);
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

  #execute(call: Call, { timeoutMs = this.#timeoutMs, late }: CommandOptions = {}): Promise<RedisReply> {
    const permit = this.closed ? 0 : this.breaker.tryAcquire();
    if (permit === 0) return Promise.reject(this.#refusal());
    return new Promise((resolve, reject) => {
      let over = false;
      const end = (): boolean => {
        if (over) return false;
        over = true;
        clearTimeout(timer);
        this.#underWay.delete(fail);
        return true;
      };
      const fail = (error: Error): void => {
        if (!end()) return;
        if (error instanceof RedisReplyError && !outage.has(error.reply)) this.breaker.success(permit);
        else this.breaker.failure(permit);
        if (call.key !== undefined && !(error instanceof RedisReplyError)) this.#driver.mend?.(call.key);
        this.#counts[error instanceof RedisTimeoutError ? 'late' : 'failed'] += 1;
        if (failureChannel.hasSubscribers) failureChannel.publish({ client: this.name, error });
        reject(error);
      };
      const succeed = (reply: unknown): void => {
        if (!end()) {
          late?.(reply as RedisReply);
          return;
        }
        this.breaker.success(permit);
        this.#counts.ok += 1;
        resolve(reply as RedisReply);
      };
      const dispatch = (): void => {
        if (over) return;
        this.#underWay.add(fail);
        this.#send(call, () => over).then(succeed, (error: unknown) => fail(this.#faultOf(error)));
      };
      const timer = setTimeout(() => fail(new RedisTimeoutError(timeoutMs)), timeoutMs);
      timer.unref();
      const link = this.#driver.link();
      if (link === 'ready') dispatch();
      else if (link === 'closed')
        fail(this.#unavailable('the client is not connected, and is not connecting', false));
      else this.#readiness.wait(dispatch, () => over);
    });
  }

  /** Sends a command; a script by its name, and in full if need be. */
  #send(call: Call, over: () => boolean): Promise<unknown> {
    const { command, key, script, binary } = call;
    if (script === undefined) return this.#driver.send(command, key, binary);
    const fenced = script.idempotent ? command : [...command, this.#fence];
    return this.#driver.send(fenced, key, binary).catch(async (error: unknown) => {
      if (codeOf(error) === 'ERR') throw (await versionFault(this.#driver)) ?? error;
      // It did not run. Neither will it, when nobody waits any more.
      if (codeOf(error) !== 'NOSCRIPT' || over()) throw error;
      this.#counts.loads += 1;
      return this.#driver.send(['eval', script.source, ...fenced.slice(2)], key, binary);
    });
  }

  #faultOf(error: unknown): Error {
    const code = codeOf(error);
    if (code === 'WEIRRERUN')
      return this.#unavailable('the connection was lost before the answer came', true);
    if (code !== '') return new RedisReplyError(error as Error);
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_WEIR_')) return error;
    return new RedisUnavailableError('the client could not carry out the command', true, error);
  }

  #lost(all: boolean): void {
    this.#fence[0] = 0x30;
    this.#fence = Buffer.from('1');
    if (all) this.#failAll('the connection was lost before the answer came');
  }

  #failAll(message: string): void {
    for (const fail of [...this.#underWay]) fail(this.#unavailable(message, true));
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

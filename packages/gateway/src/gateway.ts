import type { IncomingMessage } from 'node:http';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type Server as TlsServer } from 'node:tls';
import { type Component, channel, duration, InvalidOptionError, knownOptions } from '@weir/core';
import type { Store } from '@weir/rate-limit';
import type { Logger } from 'pino';
import type { GatewayConfig } from './config.ts';
import { ConfigError } from './config-error.ts';
import { checkConfig } from './internal/check-config.ts';
import { changesBetween } from './internal/config-changes.ts';
import { Generation } from './internal/generation.ts';
import { Parts } from './internal/parts.ts';
import { alone, sharedOf } from './internal/shared.ts';

/** What a gateway uses beside its configuration. */
export interface GatewayOptions {
  /** Takes the lines of the access log: a `pino` logger. @default none: nothing is logged */
  readonly logger?: Logger;
  /** Holds the counts of limits for several processes: `redisStore(client)`. @default each process counts for itself */
  readonly store?: Store;
  /**
   * A client of ioredis or node-redis, by which limits are counted and purges told for several processes, on the terms of
   * `redis` in the configuration. It stays yours to close.
   *
   * @default each process is for itself
   */
  readonly redis?: object;
}

/** A gateway, running or not. */
export interface Gateway {
  /** Answers requests: for a server of yours. */
  readonly handler: RequestListener;
  /** Takes upgrades: `server.on('upgrade', gateway.upgrade)`. */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** All that is at work, for metrics and dashboards of yours. */
  readonly components: readonly Component[];
  /**
   * Starts a server.
   *
   * @param port 0 for any; `listen.port` of the configuration unless given
   * @returns where it listens
   * @throws ConfigError if a dashboard without `auth` would be open to other machines.
   */
  listen(port?: number, host?: string): Promise<{ readonly port: number; readonly url: string }>;
  /**
   * Puts another configuration to use, at once and whole. What has not changed goes on with its state; requests under
   * way finish with what they began with. A new certificate is shown to new connections; where it listens stays.
   *
   * @throws ConfigError if it is not valid; the present one stays.
   */
  reload(config: GatewayConfig): void;
  /** Takes nothing new, lets what is under way finish for as long as `drain` says, and ends everything. */
  close(): Promise<void>;
}

const reloaded = channel('weir:gateway:reloaded');
const reloadFailed = channel('weir:gateway:reload-failed');

/**
 * An API gateway out of one configuration: routes, upstreams, auth, limits, cache, breakers, metrics, dashboard.
 *
 * @throws ConfigError that names every mistake, if the configuration is not valid.
 *
 * @example
 * const gateway = createGateway({
 *   upstreams: { api: { servers: ['http://10.0.0.7:8080', 'http://10.0.0.8:8080'] } },
 *   routes: [{ match: { path: '/api/*' }, limit: { limits: { limit: 100, per: '1m' } }, upstream: 'api' }],
 * });
 * await gateway.listen(8080);
 */
export function createGateway(config: GatewayConfig, options: GatewayOptions = {}): Gateway {
  knownOptions(options, ['logger', 'store', 'redis'], 'createGateway');
  return new RunningGateway(config, options);
}

/**
 * Checks a configuration as a start would, and starts nothing.
 *
 * @throws ConfigError that names every mistake.
 */
export function validateConfig(config: unknown): void {
  const nothing = { logger: undefined, shared: alone, components: () => [], originOf: () => undefined };
  void build(check(config), nothing).retire(0);
}

type Surroundings = ConstructorParameters<typeof Generation>[1];

function check(config: unknown): GatewayConfig {
  const checked = checkConfig(config);
  checkCertificate(checked);
  return checked;
}

function build(config: GatewayConfig, surroundings: Surroundings, before?: Generation): Generation {
  const parts = new Parts(before?.parts);
  try {
    return new Generation(config, surroundings, parts);
  } catch (error) {
    void parts.close(before?.parts);
    // What only the parts themselves can tell, such as a burst below its limit.
    if (!(error instanceof InvalidOptionError)) throw error;
    throw new ConfigError([{ path: error.option, message: error.message }], { cause: error });
  }
}

/** @throws ConfigError if limits would have to move to another Redis. */
function keepsRedis(before: GatewayConfig, after: GatewayConfig): void {
  if (JSON.stringify(before.redis) === JSON.stringify(after.redis)) return;
  throw new ConfigError([{ path: 'redis', message: 'cannot be changed by a reload: start again' }]);
}

function checkCertificate({ listen }: GatewayConfig): void {
  if (listen?.tls === undefined) return;
  try {
    createSecureContext(listen.tls);
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigError([{ path: 'listen.tls', message: `is no certificate with its key: ${message}` }], {
      cause: error,
    });
  }
}

class RunningGateway implements Gateway {
  readonly #surroundings: Surroundings;
  readonly #retiring = new Set<Promise<void>>();
  #config: GatewayConfig;
  #generation: Generation | undefined;
  #server: Server | undefined;
  #closed: Promise<void> | undefined;

  constructor(config: GatewayConfig, options: GatewayOptions) {
    const checked = check(config);
    this.#surroundings = {
      logger: options.logger,
      shared: sharedOf(checked, options),
      components: () => this.components,
      originOf: (route) => this.#generation?.origins.get(route),
    };
    this.#config = checked;
    this.#generation = build(checked, this.#surroundings);
  }

  readonly handler: RequestListener = (req, res) => this.#generation?.handle(req, res);

  readonly upgrade: Gateway['upgrade'] = (req, socket, head) => this.#generation?.upgrade(req, socket, head);

  get components(): readonly Component[] {
    // Metrics and the dashboard ask while the first generation is still being made.
    const { client } = this.#surroundings.shared;
    return [...(this.#generation?.parts.components ?? []), ...(client === undefined ? [] : [client])];
  }

  async listen(
    port: number = this.#config.listen?.port ?? 8080,
    host: string | undefined = this.#config.listen?.host,
  ): Promise<{ readonly port: number; readonly url: string }> {
    if (this.#server !== undefined || this.#closed !== undefined)
      throw new Error('the gateway listens already, or is closed');
    const { dashboard, listen } = this.#config;
    if (dashboard && dashboard.auth === undefined && !isLoopback(host)) {
      const message = 'is needed unless the gateway listens on 127.0.0.1 or ::1 alone';
      throw new ConfigError([{ path: 'dashboard.auth', message }]);
    }
    const { tls } = listen ?? {};
    const server: Server =
      tls === undefined ? createServer(this.handler) : createTlsServer(tls, this.handler);
    server.on('upgrade', this.upgrade);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#server = server;
    const address = server.address() as AddressInfo;
    const shown = host === undefined || host === '0.0.0.0' || host === '::' ? 'localhost' : host;
    return { port: address.port, url: `${tls === undefined ? 'http' : 'https'}://${shown}:${address.port}` };
  }

  reload(config: GatewayConfig): void {
    if (this.#closed !== undefined) throw new Error('the gateway is closed');
    const before = this.#generation as Generation;
    let checked: GatewayConfig;
    let next: Generation;
    try {
      checked = check(config);
      keepsRedis(this.#config, checked);
      next = build(checked, this.#surroundings, before);
    } catch (error) {
      if (reloadFailed.hasSubscribers) reloadFailed.publish({ error });
      throw error;
    }
    this.#renewCertificate(checked);
    const changed = changesBetween(this.#config, checked).join(', ');
    this.#config = checked;
    this.#generation = next;
    if (reloaded.hasSubscribers) reloaded.publish({ routes: checked.routes.length, changed });
    const retired = before.retire(this.#drainMs, next).finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }

  #renewCertificate({ listen }: GatewayConfig): void {
    if (this.#config.listen?.tls === undefined || listen?.tls === undefined) return;
    (this.#server as TlsServer | undefined)?.setSecureContext(listen.tls);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const server = this.#server;
    const stopped = server && new Promise<void>((resolve) => server.close(() => resolve()));
    server?.closeIdleConnections();
    await this.#generation?.retire(this.#drainMs);
    server?.closeAllConnections();
    await Promise.all([stopped, ...this.#retiring]);
    this.#surroundings.shared.close();
  }

  get #drainMs(): number {
    return duration((this.#config.drain ?? '30s') as never, 'drain');
  }
}

function isLoopback(host: string | undefined): boolean {
  return host !== undefined && /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host);
}

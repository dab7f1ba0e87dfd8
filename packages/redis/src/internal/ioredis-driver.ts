import type { Argument, Driver, DriverEvents, Link, PubSub, PubSubEvents, Topology } from './driver.ts';

type Listener = (...args: never[]) => void;

interface Emitter {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** What is used of ioredis 5 and 6, of its Redis and its Cluster. */
export interface IoredisClient extends Emitter {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: { readonly sentinels?: unknown };
  call(...command: unknown[]): Promise<unknown>;
  callBuffer(...command: unknown[]): Promise<unknown>;
  connect(): Promise<unknown>;
}

interface Single extends IoredisClient {
  duplicate(options: object): Single;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

interface Cluster extends IoredisClient {
  nodes(role: 'master' | 'all'): Single[];
}

export function isIoredis(client: object): client is IoredisClient {
  const { status, call, callBuffer, connect, on, off } = client as Partial<IoredisClient>;
  return typeof status === 'string' && [call, callBuffer, connect, on, off].every(isFunction);
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

export class IoredisDriver implements Driver {
  readonly library = 'ioredis';
  readonly resends = true;
  readonly topology: Topology;
  readonly #client: IoredisClient;
  readonly #listeners: (readonly [on: Emitter, event: string, listener: Listener])[] = [];

  constructor(client: IoredisClient, events: DriverEvents) {
    this.#client = client;
    const cluster = client.isCluster === true;
    this.topology = cluster ? 'cluster' : client.options.sentinels ? 'sentinel' : 'single';
    this.#listen(client, 'error', (error: unknown) => events.error(error));
    this.#listen(client, 'close', () => events.lost(true));
    if (!cluster) return;
    // A Cluster sends what was under way on a lost connection to another node, and a node may do so itself.
    const lost = (): void => events.lost(false);
    const watch = (node: Emitter): void => this.#listen(node, 'close', lost);
    for (const node of (client as Cluster).nodes('all')) watch(node);
    this.#listen(client, '+node', watch);
    this.#listen(client, '-node', (node: Emitter) => {
      node.off('close', lost);
      this.#listeners.splice(0, Number.POSITIVE_INFINITY, ...this.#listeners.filter(([on]) => on !== node));
      lost();
    });
  }

  link(): Link {
    const { status } = this.#client;
    if (status === 'ready') return 'ready';
    return status === 'end' || status === 'disconnecting' ? 'closed' : 'connecting';
  }

  wake(): void {
    if (this.#client.status === 'wait') this.#client.connect().catch(() => {});
  }

  send(command: readonly Argument[], _key: string | undefined, binary: boolean): Promise<unknown> {
    return binary ? this.#client.callBuffer(...command) : this.#client.call(...command);
  }

  async pubSub(turn: number): Promise<PubSub> {
    if (this.topology !== 'cluster') return new IoredisPubSub(this.#client as Single, {});
    const masters = (this.#client as Cluster).nodes('master');
    const node = masters[turn % masters.length];
    if (node === undefined) throw new Error('no node of the Cluster is known yet');
    // A node that is gone is not waited for: another one will do.
    return new IoredisPubSub(node, { retryStrategy: null, readOnly: false });
  }

  release(): void {
    for (const [on, event, listener] of this.#listeners) on.off(event, listener);
  }

  #listen(on: Emitter, event: string, listener: Listener): void {
    on.on(event, listener);
    this.#listeners.push([on, event, listener]);
  }
}

class IoredisPubSub implements PubSub {
  events!: PubSubEvents;
  readonly #connection: Single;

  constructor(client: Single, options: object) {
    const own = { lazyConnect: true, autoResubscribe: false, enableOfflineQueue: true };
    this.#connection = client.duplicate({ ...own, ...options, enableReadyCheck: false });
    this.#connection.on('error', () => {});
    this.#connection.on('message', (channel: string, text: string) => this.events.message(channel, text));
    this.#connection.on('close', () => this.events.down());
    this.#connection.on('ready', () => this.events.ready(false));
    this.#connection.on('end', () => this.events.end());
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#connection.subscribe(...channels);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#connection.unsubscribe(channel);
  }

  close(): void {
    this.#connection.disconnect();
  }
}

import { slotOf } from '../key.ts';
import type { Argument, Driver, DriverEvents, Link, PubSub, PubSubEvents, Topology } from './driver.ts';

type Listener = (...args: never[]) => void;
type OnMessage = (text: string, channel: string) => void;

/** What is used of redis 4 to 6, of its client, Sentinel and Cluster. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  /** The Clusters of 4 and 5 have none. */
  readonly isReady?: boolean;
  sendCommand(...args: unknown[]): Promise<unknown>;
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  subscribe(channel: string, listener: OnMessage): Promise<unknown>;
  unsubscribe(channel: string, listener: OnMessage): Promise<unknown>;
}

interface Single extends NodeRedisClient {
  duplicate(): Single;
  connect(): Promise<unknown>;
  /** Since 5. */
  destroy?(): void;
  /** Before 5. */
  disconnect?(): Promise<unknown>;
}

interface Node {
  readonly client?: { readonly isReady?: boolean };
}

interface Cluster extends NodeRedisClient {
  readonly masters: readonly Node[];
  /** Who serves each slot. */
  readonly slots: readonly ({ readonly master: Node } | undefined)[];
  nodeClient(node: Node): Single | Promise<Single>;
}

export function isNodeRedis(client: object): client is NodeRedisClient {
  const { isOpen, sendCommand, on, off, subscribe } = client as Partial<NodeRedisClient>;
  return typeof isOpen === 'boolean' && [sendCommand, on, off, subscribe].every(isFunction);
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

/** Keys all over the slots. */
const words: readonly string[] = Array.from({ length: 64 }, (_, i) => `weir:${i}`);

/** Strings as bytes, to either generation of the library. 36 is '$', its number of the type. */
const binaryOptions = { returnBuffers: true, typeMapping: { 36: Buffer } };
/** Whatever the client was told to turn strings into does not concern us. */
const textOptions = { typeMapping: {} };

export class NodeRedisDriver implements Driver {
  readonly library = 'node-redis';
  readonly topology: Topology;
  readonly #client: NodeRedisClient;
  readonly #listeners: readonly (readonly [event: string, listener: Listener])[];
  /** Bytes, so that they can still be changed when a command has been handed over. */
  #fence = Buffer.from('1');
  #mending = false;

  constructor(client: NodeRedisClient, events: DriverEvents) {
    this.#client = client;
    this.topology = 'nodeClient' in client ? 'cluster' : 'getSentinelNode' in client ? 'sentinel' : 'single';
    this.#listeners = [
      ['error', (error: unknown) => events.error(error)],
      [
        'client-error',
        () => {
          this.#fence[0] = 0x30;
          this.#fence = Buffer.from('1');
          events.lost(false);
        },
      ],
    ];
    for (const [event, listener] of this.#listeners) client.on(event, listener);
  }

  link(): Link {
    const { isOpen, isReady } = this.#client;
    if (!isOpen) return 'closed';
    return isReady === false ? 'connecting' : 'ready';
  }

  wake(): void {}

  /**
   * A Cluster of 4 or 5 asks who serves a slot only when a node says that it does not. With the node gone nobody says
   * so, and its commands wait for it for ever. So another one is asked for the key.
   */
  mend(key: string): void {
    if (this.topology !== 'cluster' || this.#mending) return;
    const { slots } = this.#client as Cluster;
    const lost = slots[slotOf(key)]?.master;
    const servesOther = (word: string): boolean => {
      const master = slots[slotOf(word)]?.master;
      return master !== lost && master?.client?.isReady === true;
    };
    const other = words.find(servesOther);
    if (other === undefined) return;
    this.#mending = true;
    const done = (): void => {
      this.#mending = false;
    };
    this.#client.sendCommand(other, false, ['exists', key], textOptions).then(done, done);
  }

  send(command: readonly Argument[], key: string | undefined, binary: boolean): Promise<unknown> {
    const options = binary ? binaryOptions : textOptions;
    if (this.topology === 'single') return this.#client.sendCommand(command, options);
    if (this.topology === 'sentinel') return this.#client.sendCommand(false, command, options);
    return this.#client.sendCommand(key, false, command, options);
  }

  sendFenced(command: readonly Argument[], key: string | undefined, binary: boolean): Promise<unknown> {
    // Only its Sentinel tries again by itself what was under way on a connection that broke.
    return this.send([...command, this.topology === 'sentinel' ? this.#fence : '1'], key, binary);
  }

  async pubSub(turn: number): Promise<PubSub> {
    if (this.topology === 'single') return new NodeRedisPubSub((this.#client as Single).duplicate());
    if (this.topology === 'sentinel') return new SentinelPubSub(this.#client);
    const { masters } = this.#client as Cluster;
    const node = masters[turn % masters.length];
    if (node === undefined) throw new Error('no node of the Cluster is known yet');
    return new NodeRedisPubSub((await (this.#client as Cluster).nodeClient(node)).duplicate());
  }

  release(): void {
    for (const [event, listener] of this.#listeners) this.#client.off(event, listener);
    // A client with no listener at all would bring the process down at the next lost connection.
    this.#client.on('error', () => {});
  }
}

class NodeRedisPubSub implements PubSub {
  events!: PubSubEvents;
  readonly #connection: Single;
  readonly #subscribed = new Set<string>();
  readonly #onMessage: OnMessage = (text, channel) => this.events.message(channel, text);
  #connecting: Promise<unknown> | undefined;

  constructor(connection: Single) {
    this.#connection = connection;
    connection.on('error', () => this.events.down());
    connection.on('reconnecting', () => this.events.down());
    // It has subscribed anew by then.
    connection.on('ready', () => this.events.ready(true));
    connection.on('end', () => {
      this.events.down();
      this.events.end();
    });
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    await (this.#connecting ??= this.#connection.connect());
    for (const channel of channels.filter((each) => !this.#subscribed.has(each))) {
      this.#subscribed.add(channel);
      await this.#connection.subscribe(channel, this.#onMessage);
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    if (this.#subscribed.delete(channel)) await this.#connection.unsubscribe(channel, this.#onMessage);
  }

  close(): void {
    if (this.#connection.destroy !== undefined) {
      if (this.#connection.isOpen) this.#connection.destroy();
    } else if (this.#connection.isOpen) this.#connection.disconnect!().catch(() => {});
  }
}

/** How often a Sentinel's subscriptions are tried while they may be down, ms. */
const PROBE_EVERY = 250;

/**
 * The subscriptions of node-redis' Sentinel object, which moves them to the new master itself but does not tell when.
 * So after an error a message of our own must come through before they count as up.
 */
class SentinelPubSub implements PubSub {
  events!: PubSubEvents;
  readonly #client: NodeRedisClient;
  readonly #subscribed = new Set<string>();
  readonly #onMessage: OnMessage = (text, channel) => this.events.message(channel, text);
  readonly #probe = `weir:probe:${crypto.randomUUID()}`;
  readonly #onProbe = (): void => this.#up();
  readonly #onError = (): void => this.#down();
  #probing: ReturnType<typeof setInterval> | undefined;

  constructor(client: NodeRedisClient) {
    this.#client = client;
    for (const event of ['error', 'client-error', 'topology-change']) client.on(event, this.#onError);
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    for (const channel of channels.filter((each) => !this.#subscribed.has(each))) {
      this.#subscribed.add(channel);
      await this.#client.subscribe(channel, this.#onMessage);
    }
    if (this.#subscribed.has(this.#probe)) return;
    this.#subscribed.add(this.#probe);
    await this.#client.subscribe(this.#probe, this.#onProbe);
  }

  async unsubscribe(channel: string): Promise<void> {
    if (this.#subscribed.delete(channel)) await this.#client.unsubscribe(channel, this.#onMessage);
  }

  close(): void {
    clearInterval(this.#probing);
    for (const event of ['error', 'client-error', 'topology-change']) this.#client.off(event, this.#onError);
    if (!this.#client.isOpen) return;
    for (const channel of this.#subscribed) {
      const listener = channel === this.#probe ? this.#onProbe : this.#onMessage;
      this.#client.unsubscribe(channel, listener).catch(() => {});
    }
  }

  #down(): void {
    this.events.down();
    if (this.#probing !== undefined) return;
    this.#probing = setInterval(() => {
      this.#client.sendCommand(false, ['PUBLISH', this.#probe, '']).catch(() => {});
    }, PROBE_EVERY);
    this.#probing.unref();
  }

  #up(): void {
    if (this.#probing === undefined) return;
    clearInterval(this.#probing);
    this.#probing = undefined;
    this.events.ready(true);
  }
}

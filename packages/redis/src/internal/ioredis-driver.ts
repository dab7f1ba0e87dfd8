import type { Argument, Driver, DriverEvents, Link, PubSub, PubSubEvents, Topology } from './driver.ts';
import {
  type Command,
  type CommandClass,
  type CommandSettings,
  commandClassOf,
  Fence,
  type FencedCommand,
  fencedCommand,
} from './ioredis-command.ts';

type Listener = (...args: never[]) => void;

interface Emitter {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

interface Writable {
  cork(): void;
  uncork(): void;
}

/** What is used of ioredis 5 and 6, of its Redis and its Cluster. */
export interface IoredisClient extends Emitter {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: { readonly sentinels?: unknown; readonly keyPrefix?: unknown };
  /** The connection. A Cluster has several, elsewhere. */
  readonly stream?: Writable | null;
  call(...command: unknown[]): Promise<unknown>;
  sendCommand(command: Command): Promise<unknown>;
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
  const { status, call, sendCommand, connect, on, off } = client as Partial<IoredisClient>;
  return typeof status === 'string' && [call, sendCommand, connect, on, off].every(isFunction);
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

/** Commands that leave in one system call at most: so the server can begin with them while others are made. */
const GATHERED = 16;

export class IoredisDriver implements Driver {
  readonly library = 'ioredis';
  readonly topology: Topology;
  readonly #client: IoredisClient;
  readonly #Command: CommandClass;
  readonly #Fenced: FencedCommand;
  readonly #listeners: (readonly [on: Emitter, event: string, listener: Listener])[] = [];
  #fence = new Fence();
  /** The connection on which commands are held back, until the end of this turn; how many have been. */
  #corked: Writable | undefined;
  #gathered = 0;

  constructor(client: IoredisClient, events: DriverEvents) {
    this.#client = client;
    this.#Command = commandClassOf(client);
    this.#Fenced = fencedCommand(this.#Command);
    const cluster = client.isCluster === true;
    this.topology = cluster ? 'cluster' : client.options.sentinels ? 'sentinel' : 'single';
    this.#listen(client, 'error', (error: unknown) => events.error(error));
    const lostAll = (all: boolean): void => {
      this.#fence.whole = false;
      this.#fence = new Fence();
      events.lost(all);
    };
    this.#listen(client, 'close', () => lostAll(true));
    if (!cluster) return;
    // A Cluster sends what was under way on a lost connection to another node, and a node may do so itself.
    const lost = (): void => lostAll(false);
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
    this.#gather();
    const options = this.#optionsFor(binary);
    return this.#client.sendCommand(new this.#Command(command[0] as string, command.slice(1), options));
  }

  sendFenced(command: readonly Argument[], _key: string | undefined, binary: boolean): Promise<unknown> {
    this.#gather();
    const args = command.slice(1);
    args.push('1');
    const options = this.#optionsFor(binary);
    return this.#client.sendCommand(new this.#Fenced(command[0] as string, args, options, this.#fence));
  }

  #optionsFor(binary: boolean): CommandSettings {
    return { replyEncoding: binary ? null : 'utf8', keyPrefix: this.#client.options.keyPrefix };
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

  /** Lets the commands of one turn leave together: a system call for each costs more than all else. */
  #gather(): void {
    const { stream } = this.#client;
    if (stream === undefined || stream === null) return;
    if (stream !== this.#corked) {
      this.#corked = stream;
      this.#gathered = 1;
      stream.cork();
      process.nextTick(() => {
        stream.uncork();
        if (this.#corked === stream) this.#corked = undefined;
      });
      return;
    }
    this.#gathered += 1;
    if (this.#gathered % GATHERED > 0) return;
    stream.uncork();
    stream.cork();
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

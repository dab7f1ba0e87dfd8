/** How a command's parts travel: text or bytes. */
export type Argument = string | Uint8Array;

export type Topology = 'single' | 'sentinel' | 'cluster';

/** What a client is doing about its connection. 'closed': nothing, until its owner acts. */
export type Link = 'ready' | 'connecting' | 'closed';

export interface DriverEvents {
  /** A connection was lost. `all`: with it every command under way. */
  lost(all: boolean): void;
  error(error: unknown): void;
}

/** The same few verbs over each kind of client. */
export interface Driver {
  readonly library: 'ioredis' | 'node-redis';
  readonly topology: Topology;
  link(): Link;
  /** Begins to connect, where a client waits for its first command. */
  wake(): void;
  send(command: readonly Argument[], key: string | undefined, binary: boolean): Promise<unknown>;
  /**
   * The same with one more argument, the fence: '1', or '0' where the client sends the command anew because a connection
   * was lost, without being asked.
   */
  sendFenced(command: readonly Argument[], key: string | undefined, binary: boolean): Promise<unknown>;
  /** A command with this key has failed: helps a client that does not look for a lost node's successor by itself. */
  mend?(key: string): void;
  /** A connection of its own for subscriptions, not connected yet. `turn` chooses another node of a Cluster each time. */
  pubSub(turn: number): Promise<PubSub>;
  /** Stops listening to the client. */
  release(): void;
}

/** A connection that only subscribes. */
export interface PubSub {
  /** Connects and subscribes to all of these. May be called again, with others added. */
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** What the owner is told of. Set before `subscribe`. */
  events: PubSubEvents;
  close(): void;
}

export interface PubSubEvents {
  message(channel: string, text: string): void;
  /** The connection was lost. */
  down(): void;
  /** There is a connection. `subscribed`: and the client has subscribed anew itself. */
  ready(subscribed: boolean): void;
  /** The connection will not come back. */
  end(): void;
}

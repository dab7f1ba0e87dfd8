import type { ChannelListener, Subscription } from '../redis-client.ts';
import type { Driver, PubSub } from './driver.ts';

/** How long after a failure a new connection is tried, and how long one may be down before another node is, ms. */
const REOPEN_AFTER = 250;
const GIVE_UP_AFTER = 1000;

interface Channel {
  readonly listeners: Set<ChannelListener>;
  up: boolean;
}

/** All subscriptions of a view, over one connection that is there as long as one is. */
export class Subscriptions {
  readonly #driver: Driver;
  readonly #channels = new Map<string, Channel>();
  #connection: PubSub | undefined;
  #opening = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  add(name: string, listener: ChannelListener): Subscription {
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, (channel = { listeners: new Set(), up: false }));
    channel.listeners.add(listener);
    if (channel.up) listener.up();
    else {
      listener.down();
      if (this.#connection === undefined) this.#open();
      else this.#subscribe(this.#connection);
    }
    return { close: () => this.#remove(name, listener) };
  }

  close(): void {
    this.#channels.clear();
    this.#drop();
  }

  #remove(name: string, listener: ChannelListener): void {
    const channel = this.#channels.get(name);
    if (channel === undefined || !channel.listeners.delete(listener) || channel.listeners.size > 0) return;
    this.#channels.delete(name);
    if (this.#channels.size === 0) this.#drop();
    else this.#connection?.unsubscribe(name).catch(() => {});
  }

  #open(): void {
    if (this.#opening) return;
    this.#opening = true;
    clearTimeout(this.#timer);
    this.#driver.pubSub(this.#turn).then(
      (connection) => {
        this.#opening = false;
        this.#begin(connection);
      },
      () => {
        this.#opening = false;
        this.#reopenIn(REOPEN_AFTER);
      },
    );
    this.#turn += 1;
  }

  #begin(connection: PubSub): void {
    connection.events = {
      message: (name, text) => {
        for (const listener of this.#channels.get(name)?.listeners ?? []) listener.message(text);
      },
      down: () => this.#down(connection),
      ready: (subscribed) => {
        if (connection !== this.#connection) return;
        clearTimeout(this.#timer);
        if (subscribed) this.#up([...this.#channels.keys()]);
        // Also what was added in the meantime.
        this.#subscribe(connection);
      },
      end: () => {
        if (connection === this.#connection) this.#replace();
      },
    };
    if (this.#channels.size === 0) {
      connection.close();
      return;
    }
    this.#connection = connection;
    this.#subscribe(connection);
  }

  #subscribe(connection: PubSub): void {
    const names = [...this.#channels.keys()];
    connection.subscribe(names).then(
      () => {
        if (connection === this.#connection) this.#up(names);
      },
      () => {
        if (connection === this.#connection) this.#replace();
      },
    );
  }

  #up(names: readonly string[]): void {
    clearTimeout(this.#timer);
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (channel === undefined || channel.up) continue;
      channel.up = true;
      for (const listener of channel.listeners) listener.up();
    }
  }

  #down(connection: PubSub): void {
    if (connection !== this.#connection) return;
    for (const channel of this.#channels.values()) {
      if (!channel.up) continue;
      channel.up = false;
      for (const listener of channel.listeners) listener.down();
    }
    // A node of a Cluster may be gone for ever; a single server, and the master that Sentinels name, will come back.
    if (this.#driver.topology === 'cluster') this.#reopenIn(GIVE_UP_AFTER);
  }

  /** Gives a connection up for a new one. */
  #replace(): void {
    this.#drop();
    if (this.#channels.size > 0) this.#reopenIn(REOPEN_AFTER);
  }

  #reopenIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#drop();
      if (this.#channels.size > 0) this.#open();
    }, ms);
    this.#timer.unref();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#down(connection);
    clearTimeout(this.#timer);
    this.#connection = undefined;
    connection.close();
  }
}

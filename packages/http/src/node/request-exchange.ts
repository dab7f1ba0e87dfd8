import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { canonicalAddress, socketAddress } from '../internal/address.ts';
import { type Client, resolveClient, trusts } from '../internal/client.ts';
import { HostExchange, slot } from '../internal/exchange.ts';
import type { Settings } from '../internal/settings.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What frameworks on top of node:http add to a request. */
interface Decorated {
  [slot]?: HostExchange;
  readonly originalUrl?: string;
}

/** The half of an exchange that is read from a node:http or node:http2 request. */
export abstract class NodeRequestExchange<Raw = unknown> extends HostExchange<Raw> {
  readonly req: NodeRequest;
  /** The framework's word for the client's address, where the application configured one. */
  readonly frameworkIp: ((raw: never) => string | undefined) | undefined;

  constructor(
    req: NodeRequest,
    raw: Raw,
    settings: Settings,
    frameworkIp: ((raw: never) => string | undefined) | undefined,
  ) {
    super(raw, settings);
    this.req = req;
    this.frameworkIp = frameworkIp;
    (req as Decorated)[slot] = this;
  }

  get method(): string {
    return this.req.method ?? '';
  }

  get url(): string {
    return (this.req as Decorated).originalUrl ?? this.req.url ?? '';
  }

  header(lowerName: string): string | undefined {
    const value = this.req.headers[lowerName];
    return typeof value === 'string' || value === undefined ? value : value.join(', ');
  }

  protected resolveClient(): Client {
    const { settings } = this;
    const peer = this.req.socket?.remoteAddress;
    const client = resolveClient(
      peer === undefined ? '' : socketAddress(peer),
      (name) => this.header(name),
      settings,
    );
    // What was said to Weir goes before what was said to the framework.
    if (this.frameworkIp === undefined || trusts(settings)) return client;
    const seen = this.frameworkIp(this.raw as never);
    // Almost always the framework saw what the socket says.
    if (seen === undefined || seen === client.ip || seen === peer) return client;
    const ip = canonicalAddress(seen);
    return ip === undefined ? client : { ...client, ip };
  }

  protected get ownHost(): string {
    return this.header('host') ?? this.header(':authority') ?? '';
  }

  protected get encrypted(): boolean {
    return 'encrypted' in this.req.socket;
  }
}

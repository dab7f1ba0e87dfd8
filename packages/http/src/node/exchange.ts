import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { BodyCapability } from '@weir/core';
import { canonicalAddress, socketAddress } from '../internal/address.ts';
import { type Client, resolveClient, trusts } from '../internal/client.ts';
import { HostExchange, slot } from '../internal/exchange.ts';
import type { Settings } from '../internal/settings.ts';
import type { HeaderBag } from '../internal/taps.ts';
import { NodeBody } from './body.ts';
import { hook, type WriteHead } from './hook.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What frameworks on top of node:http add to a request. */
interface Decorated {
  [slot]?: NodeExchange;
  readonly originalUrl?: string;
}

/** An exchange over node:http or node:http2, whatever framework stands on it. */
export class NodeExchange<Raw = unknown> extends HostExchange<Raw> {
  readonly req: NodeRequest;
  readonly res: NodeResponse;
  /** The framework's word for the client's address, where the application configured one. */
  readonly frameworkIp: ((raw: never) => string | undefined) | undefined;
  /** Response headers set by policies, as pairs; kept to tell them from the handler's. */
  policyHeaders: string[] | undefined = undefined;
  /** Response headers to be added when the head is sent, as pairs. */
  appended: string[] | undefined = undefined;
  /** Whether the framework may wipe headers, so that they are set again when the head is sent. */
  restores = false;
  /** Headers that the framework keeps elsewhere until it answers. */
  preparedHeaders: ((raw: never) => HeaderBag) | undefined = undefined;
  /** What `writeHead` was before the response was hooked. */
  nativeWriteHead: WriteHead | undefined = undefined;
  /** Whether the body of the response goes through {@link NodeBody}. */
  intercepted = false;
  /** Told of rewritten request headers, for frameworks that keep a copy. */
  onRequestHeader: ((raw: unknown, lowerName: string, value: string | undefined) => void) | undefined =
    undefined;
  private bodyMade: NodeBody | undefined = undefined;
  private controller: AbortController | undefined = undefined;

  constructor(
    req: NodeRequest,
    res: NodeResponse,
    raw: Raw,
    settings: Settings,
    frameworkIp?: (raw: never) => string | undefined,
  ) {
    super(raw, settings);
    this.req = req;
    this.res = res;
    this.frameworkIp = frameworkIp;
    (req as Decorated)[slot] = this;
  }

  get method(): string {
    return this.req.method ?? '';
  }

  get url(): string {
    return (this.req as Decorated).originalUrl ?? this.req.url ?? '';
  }

  get body(): BodyCapability {
    return this.nodeBody;
  }

  get nodeBody(): NodeBody {
    this.bodyMade ??= new NodeBody(this);
    return this.bodyMade;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.over) this.controller.abort(new Error('the exchange has ended'));
      else this.watch();
    }
    return this.controller.signal;
  }

  header(lowerName: string): string | undefined {
    const value = this.req.headers[lowerName];
    return typeof value === 'string' || value === undefined ? value : value.join(', ');
  }

  setHeader(name: string, value: string): void {
    if (this.res.headersSent) return;
    this.res.setHeader(name, value);
    this.policyHeaders ??= [];
    this.policyHeaders.push(name, value);
    if (this.restores) this.watch();
  }

  appendHeader(name: string, value: string): void {
    if (this.res.headersSent) return;
    this.appended ??= [];
    this.appended.push(name, value);
    this.watch();
  }

  /** The response's headers as they stand. */
  headersBefore(): HeaderBag {
    return { ...this.res.getHeaders(), ...this.preparedHeaders?.(this.raw as never) };
  }

  /** Hooks into the response: once per exchange, however many policies and mounts. */
  watch(): void {
    if (this.nativeWriteHead === undefined) hook(this);
  }

  /** The response is closed: finished, or cut from one side. */
  closed(): void {
    if (this.over) return;
    const { req, res } = this;
    const complete =
      req.httpVersionMajor === 2
        ? (res as Http2ServerResponse).writableEnded && !(res as Http2ServerResponse).stream.aborted
        : (res as ServerResponse).writableFinished;
    this.end(complete);
  }

  /** Ends the exchange: taps first, then the signal, then the leaves. */
  end(complete: boolean): void {
    if (this.over) return;
    this.bodyMade?.close();
    const cut =
      this.bodyMade?.cut ?? (complete ? undefined : (this.res as { errored?: Error | null }).errored);
    if (cut !== undefined && cut !== null) this.error ??= cut;
    if (!complete) this.controller?.abort(new Error('the client has gone'));
    this.finish(complete ? 'complete' : this.error === undefined ? 'aborted' : 'error');
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
    const ip = canonicalAddress(this.frameworkIp(this.raw as never) ?? '');
    return ip === undefined ? client : { ...client, ip };
  }

  protected get ownHost(): string {
    return this.header('host') ?? this.header(':authority') ?? '';
  }

  protected get encrypted(): boolean {
    return 'encrypted' in this.req.socket;
  }
}

/** The exchange of a request, if a policy runs or ran on it. */
export function exchangeOn(req: object): NodeExchange | undefined {
  return (req as Decorated)[slot];
}

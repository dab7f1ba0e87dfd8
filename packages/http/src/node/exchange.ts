import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { BodyCapability, Pairs } from '@weir/core';
import { slot } from '../internal/exchange.ts';
import type { Settings } from '../internal/settings.ts';
import type { HeaderBag } from '../internal/taps.ts';
import { NodeBody } from './body.ts';
import { hookEnd, hookHead, type WriteHead } from './hook.ts';
import { type NodeRequest, NodeRequestExchange, type NodeResponse } from './request-exchange.ts';

export type { NodeRequest, NodeResponse } from './request-exchange.ts';

/** An exchange over node:http or node:http2, whatever framework stands on it. */
export class NodeExchange<Raw = unknown> extends NodeRequestExchange<Raw> {
  readonly res: NodeResponse;
  /** Response headers set by policies, as pairs; kept to tell them from the handler's. */
  policyHeaders: string[] | undefined = undefined;
  /** Response headers to be added when the head is sent, as pairs. */
  appended: string[] | undefined = undefined;
  /** The headers of the reply that is being sent, where nobody else makes any. */
  replied: Pairs | undefined = undefined;
  /** Whether the framework may wipe headers, so that they are set again when the head is sent. */
  restores = false;
  /** Headers that the framework keeps elsewhere until it answers. */
  preparedHeaders: ((raw: never) => HeaderBag) | undefined = undefined;
  /** What `writeHead` was before the response was hooked. */
  nativeWriteHead: WriteHead | undefined = undefined;
  /** Whether the end of the response is told. */
  private watching = false;
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
    super(req, raw, settings, frameworkIp);
    this.res = res;
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

  setHeader(name: string, value: string): void {
    if (this.res.headersSent) return;
    this.res.setHeader(name, value);
    this.policyHeaders ??= [];
    this.policyHeaders.push(name, value);
    if (this.restores) hookHead(this);
  }

  appendHeader(name: string, value: string): void {
    if (this.res.headersSent) return;
    this.appended ??= [];
    this.appended.push(name, value);
    hookHead(this);
  }

  /** The response's headers as they stand. */
  headersBefore(): HeaderBag {
    const headers = this.res.getHeaders();
    return this.preparedHeaders === undefined
      ? headers
      : { ...headers, ...this.preparedHeaders(this.raw as never) };
  }

  /** Hooks into the response: once per exchange, however many policies and mounts. */
  watch(): void {
    if (this.watching) return;
    this.watching = true;
    hookHead(this);
    hookEnd(this);
  }

  /** The response is closed: finished, or cut from one side. */
  closed(): void {
    if (this.over) return;
    const { req, res } = this;
    const complete =
      req.httpVersionMajor === 2
        ? (res as Http2ServerResponse).writableEnded && !(res as Http2ServerResponse).stream.aborted
        : (res as ServerResponse).writableFinished || injected(res);
    this.end(complete);
  }

  /** Ends the exchange: taps first, then the signal, then the leaves. */
  end(complete: boolean): void {
    if (this.over) return;
    this.bodyMade?.close();
    if (!complete) this.error ??= (this.res as { errored?: Error | null }).errored ?? undefined;
    if (!complete) this.controller?.abort(new Error('the client has gone'));
    this.finish(complete ? 'complete' : this.error === undefined ? 'aborted' : 'error');
  }
}

/** Whether the response has ended that Fastify's `inject` waits for: it has no socket on which it could finish. */
function injected(res: NodeResponse): boolean {
  return res.writableEnded && '_lightMyRequest' in res;
}

/** The exchange of a request, if a policy runs or ran on it. */
export function exchangeOn(req: object): NodeExchange | undefined {
  return (req as { [slot]?: NodeExchange })[slot];
}

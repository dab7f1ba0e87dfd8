import {
  type Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGateway, type Gateway, type GatewayConfig, type GatewayOptions } from '../src/index.ts';

export interface Origin extends AsyncDisposable {
  readonly url: string;
  readonly requests: IncomingMessage[];
  readonly server: Server;
}

/** A server that keeps what it was asked; by default it answers with what it saw. */
export async function origin(
  answer: (req: IncomingMessage, res: ServerResponse) => void = (req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ url: req.url, headers: req.headers }));
  },
): Promise<Origin> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** @default a connection of its own */
  readonly agent?: Agent;
}

export interface Running extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly port: number;
  ask(path: string, options?: Ask): Promise<Answer>;
}

/** A gateway on a port of its own. */
export async function start(config: GatewayConfig, options?: GatewayOptions): Promise<Running> {
  const gateway = createGateway({ drain: '1s', ...config }, options);
  const { port } = await gateway.listen(0, '127.0.0.1');
  return {
    gateway,
    port,
    ask: (path, given = {}) => ask(port, path, given),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}

/** One request, its target as it stands. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body, agent }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: agent ?? false };
    const req = request(options, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text }));
      res.on('error', reject);
    });
    req.on('error', reject).end(body);
  });
}

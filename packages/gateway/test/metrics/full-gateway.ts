import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { type GatewayConfig, hashApiKey } from '../../src/index.ts';
import { type Origin, origin, type Running, start } from '../fixtures.ts';
import { parse, type Scrape } from './exposition.ts';

/** A gateway with all that can be shown, and what it stands in front of. */
export interface FullGateway extends AsyncDisposable {
  readonly running: Running;
  readonly config: GatewayConfig;
  scrape(): Promise<Scrape>;
  /** Asks, as the only one who has a key. */
  get(path: string): Promise<number>;
  /** Opens a WebSocket, exchanges one message and closes it. */
  talk(): Promise<void>;
}

const key = 'k_test';

export async function fullGateway(further: Partial<GatewayConfig> = {}): Promise<FullGateway> {
  const origins: Origin[] = [await server(), await server()];
  const dead = 'http://127.0.0.1:1';
  const config: GatewayConfig = {
    upstreams: {
      api: { servers: origins.map(({ url }) => url), strategy: 'roundRobin', breaker: {} },
      gone: { servers: [dead], breaker: { consecutiveFailures: 2, openFor: '1h' }, outliers: false },
    },
    auth: { partners: { type: 'api-key', keys: [{ id: 'acme', hash: hashApiKey(key) }] } },
    routes: [
      {
        name: 'orders',
        match: { path: '/orders/*' },
        auth: 'partners',
        limit: { limits: { limit: 20, per: '1d' } },
        cache: {},
        upstream: 'api',
        retry: { max: 1 },
      },
      { name: 'talk', match: { path: '/talk' }, websocket: true, upstream: 'api' },
      { name: 'broken', match: { path: '/broken' }, upstream: 'gone' },
      { match: { path: '/fixed' }, respond: { status: 200, body: 'fixed' } },
    ],
    metrics: '/metrics',
    dashboard: {},
    ...further,
  };
  const running = await start(config);
  return {
    running,
    config,
    scrape: async () => parse((await running.ask('/metrics')).body),
    get: async (path) => (await running.ask(path, { headers: { 'x-api-key': key } })).status,
    async talk() {
      const socket = new WebSocket(`ws://127.0.0.1:${running.port}/talk`);
      await once(socket, 'open');
      socket.send('hello');
      await once(socket, 'message');
      socket.close();
      await once(socket, 'close');
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      for (const each of origins) await each[Symbol.asyncDispose]();
    },
  };
}

/** Answers what may be kept for a minute, and echoes over WebSocket. */
async function server(): Promise<Origin> {
  const made = await origin((req, res) => {
    res.setHeader('cache-control', 'max-age=60');
    res.end(req.url);
  });
  const sockets = new WebSocketServer({ server: made.server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  return made;
}

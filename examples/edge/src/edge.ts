import { createServer, type Server } from 'node:http';
import { cacheResponses, type ResponseCache } from '@weir/cache/http';
import { weir } from '@weir/http/node';
import { createPool } from '@weir/load-balancer';
import { proxy } from '@weir/proxy';

export interface Edge {
  readonly server: Server;
  /** For purges, metrics and dashboards. */
  readonly cache: ResponseCache;
  close(): Promise<void>;
}

/** A cache in front of one origin: what may be reused is kept here, everything else is passed on. */
export function createEdge(origin: string): Edge {
  const forward = proxy(createPool([origin]));
  const cache = cacheResponses({
    name: 'edge',
    // While the origin is down, pages that it allows to be stale are served for a day.
    staleIfError: '1d',
    // Pages with stale-while-revalidate are renewed behind the scenes.
    background: { origin: forward },
  });
  const server = createServer(weir([cache, forward]).wrap(() => {}));
  return {
    server,
    cache,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await forward.close();
    },
  };
}

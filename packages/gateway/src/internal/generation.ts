import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Component, Leave, Policy } from '@weir/core';
import { dashboard } from '@weir/dashboard';
import { configure } from '@weir/http/node';
import { collect, metricsEndpoint } from '@weir/metrics';
import type { Store } from '@weir/rate-limit';
import type { Logger } from 'pino';
import { accessLog } from '../access-log.ts';
import type { GatewayConfig } from '../config.ts';
import { requestId } from '../request-id.ts';
import { given } from './given.ts';
import { hostName, isPlainPath } from './match.ts';
import { Parts } from './parts.ts';
import { ambiguous, buildRoutes, notFound, type Route } from './routes.ts';

/** What a gateway is given beside its configuration. */
export interface Surroundings {
  readonly logger: Logger | undefined;
  readonly store: Store | undefined;
  /** The components of the gateway as it is now, whichever generation asks. */
  readonly components: () => readonly Component[];
}

type Upgrades = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
interface Target {
  readonly handle: RequestListener;
  readonly upgrade: Upgrades;
}

/** One configuration at work. A reload makes the next one and lets this one finish what it has begun. */
export class Generation {
  readonly parts: Parts;
  readonly #routes: readonly (Target & { readonly matches: Route['matches'] })[];
  readonly #own: ReadonlyMap<string, Target>;
  readonly #pages: readonly [prefix: string, target: Target][];
  readonly #unknown: Target;
  readonly #ambiguous: Target;
  #active = 0;
  #idle: (() => void) | undefined;

  constructor(config: GatewayConfig, surroundings: Surroundings, before?: Generation) {
    this.parts = new Parts(before?.parts);
    const { logger, store, components } = surroundings;
    const weir = configure(given({ trustedProxies: config.trustedProxies }));
    const left: Leave = () => this.#leave();
    const track: Policy = {
      name: 'gateway',
      enter: () => {
        this.#active += 1;
        return left;
      },
    };
    const first = [
      track,
      requestId,
      ...(config.accessLog === true && logger !== undefined ? [accessLog(logger)] : []),
    ];
    const target = (policies: readonly Policy[], upgrade?: Route['upgrade']): Target => ({
      handle: weir([...first, ...policies]).wrap(() => {}),
      upgrade:
        upgrade === undefined
          ? weir([...first, notFound]).upgrade(() => {})
          : weir([...first, ...upgrade.policies]).upgrade(upgrade.listener),
    });
    this.#routes = buildRoutes(config, this.parts, store).map((route) => ({
      matches: route.matches,
      ...target(route.policies, route.upgrade),
    }));
    this.#unknown = target([notFound]);
    this.#ambiguous = target([ambiguous]);
    const { metrics = false } = config;
    this.#own = new Map(metrics === false ? [] : [[metrics, target([metricsOf(components)])]]);
    this.#pages = config.dashboard ? [this.#page(config.dashboard, components, target)] : [];
  }

  readonly handle = (req: IncomingMessage, res: ServerResponse): void => this.#for(req).handle(req, res);

  readonly upgrade: Upgrades = (req, socket, head) => this.#for(req).upgrade(req, socket, head);

  /** Waits until all that has begun here has ended, then closes what `next` does not go on using. */
  async retire(withinMs: number, next?: Generation): Promise<void> {
    if (this.#active > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        this.#idle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await this.parts.close(next?.parts);
  }

  #page(
    options: Exclude<GatewayConfig['dashboard'], false | undefined>,
    components: () => readonly Component[],
    target: (policies: readonly Policy[]) => Target,
  ): [string, Target] {
    const { path = '/_weir/', auth, actions } = options;
    const page = this.parts.get('dashboard', options, () => dashboard(components, given({ auth, actions })));
    return [path, target([page])];
  }

  #for(req: IncomingMessage): Target {
    const url = req.url ?? '/';
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    if (!isPlainPath(path)) return this.#ambiguous;
    const own =
      this.#own.get(path) ??
      this.#pages.find(([prefix]) => path.startsWith(prefix) || `${path}/` === prefix)?.[1];
    if (own !== undefined) return own;
    const host = hostName(req.headers.host ?? '');
    const method = req.method ?? 'GET';
    return this.#routes.find(({ matches }) => matches(method, host, path)) ?? this.#unknown;
  }

  #leave(): void {
    this.#active -= 1;
    if (this.#active === 0) this.#idle?.();
  }
}

/** Made at the first scrape, when all that there is to show has been made. */
function metricsOf(components: () => readonly Component[]): Policy {
  let endpoint: Policy | undefined;
  return {
    name: 'metrics',
    enter(x) {
      endpoint ??= metricsEndpoint(collect(components));
      return endpoint.enter(x);
    },
  };
}

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Component, Policy } from '@weir/core';
import { dashboard } from '@weir/dashboard';
import { configure } from '@weir/http/node';
import { collect, metricsEndpoint } from '@weir/metrics';
import type { Logger } from 'pino';
import { accessLog } from '../access-log.ts';
import type { GatewayConfig } from '../config.ts';
import { requestId } from '../request-id.ts';
import { given } from './given.ts';
import { hostName, isPlainPath } from './match.ts';
import type { Parts } from './parts.ts';
import { RouteTally } from './route-tally.ts';
import { ambiguous, buildRoutes, notFound, type Route } from './routes.ts';
import type { Shared } from './shared.ts';

/** What a gateway is given beside its configuration. */
export interface Surroundings {
  readonly logger: Logger | undefined;
  readonly shared: Shared;
  /** The components of the gateway as it is now, whichever generation asks. */
  readonly components: () => readonly Component[];
  /** What asks the upstream of a route, in the gateway as it is now. */
  readonly originOf: (route: string) => Policy | undefined;
}

type Upgrades = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
interface Target {
  readonly handle: RequestListener;
  readonly upgrade: Upgrades;
}

/** One configuration at work. A reload makes the next one and lets this one finish what it has begun. */
export class Generation {
  readonly parts: Parts;
  /** What asks the upstreams, by route. */
  readonly origins: ReadonlyMap<string, Policy | undefined>;
  readonly #routes: readonly (Target & { readonly matches: Route['matches'] })[];
  readonly #own: ReadonlyMap<string, Target>;
  readonly #pages: readonly [prefix: string, target: Target][];
  readonly #unknown: Target;
  readonly #ambiguous: Target;
  /** Whether any route asks for a host. */
  readonly #hosts: boolean;
  #active = 0;
  #idle: (() => void) | undefined;

  constructor(config: GatewayConfig, surroundings: Surroundings, parts: Parts) {
    this.parts = parts;
    const { logger, shared, components, originOf } = surroundings;
    const weir = configure(given({ trustedProxies: config.trustedProxies }));
    const entered = (): void => void (this.#active += 1);
    const left = (): void => this.#leave();
    const logged = config.accessLog === true && logger !== undefined ? [accessLog(logger)] : [];
    const target = (tally: RouteTally, policies: readonly Policy[], upgrade?: Route['upgrade']): Target => {
      const first = [tally.policy(entered, left), requestId, ...logged];
      return {
        handle: weir([...first, ...policies]).wrap(() => {}),
        upgrade:
          upgrade === undefined
            ? weir([...first, notFound]).upgrade(() => {})
            : weir([...first, ...upgrade.policies]).upgrade(upgrade.listener),
      };
    };
    const tallyOf = (route: string): RouteTally =>
      this.parts.get(`route ${route}`, {}, () => new RouteTally(route));
    const routes = buildRoutes({ config, parts: this.parts, shared, originOf });
    this.origins = new Map(routes.map(({ name, origin }) => [name, origin]));
    this.#routes = routes.map(({ name, matches, policies, upgrade }) => ({
      matches,
      ...target(tallyOf(name), policies, upgrade),
    }));
    this.#hosts = config.routes.some(({ match }) => match.host !== undefined);
    // In brackets, as no route can be called.
    const none = tallyOf('(none)');
    this.#unknown = target(none, [notFound]);
    this.#ambiguous = target(none, [ambiguous]);
    // What shows the gateway is no part of what is shown.
    const uncounted = new RouteTally('(own)');
    const own = ([path, policy]: [string, Policy]): [string, Target] => [path, target(uncounted, [policy])];
    this.#own = new Map(config.metrics ? [own(this.#scraped(config.metrics, components))] : []);
    this.#pages = config.dashboard ? [own(this.#page(config.dashboard, components))] : [];
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
  ): [string, Policy] {
    const { path = '/_weir/', auth, actions } = options;
    return [
      path,
      this.parts.get('dashboard', options, () => dashboard(components, given({ auth, actions }))),
    ];
  }

  #scraped(
    options: Exclude<GatewayConfig['metrics'], false | undefined>,
    components: () => readonly Component[],
  ): [string, Policy] {
    const { path = '/metrics', process = false } = typeof options === 'string' ? { path: options } : options;
    return [path, this.parts.get('metrics', { process }, () => metricsOf(components, process))];
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
    const host = this.#hosts ? hostName(req.headers.host ?? '') : '';
    const method = req.method ?? 'GET';
    return this.#routes.find(({ matches }) => matches(method, host, path)) ?? this.#unknown;
  }

  #leave(): void {
    this.#active -= 1;
    if (this.#active === 0) this.#idle?.();
  }
}

/** Made at the first scrape, when all that there is to show has been made. */
function metricsOf(components: () => readonly Component[], process: boolean): Policy {
  let endpoint: Policy | undefined;
  return {
    name: 'metrics',
    enter(x) {
      endpoint ??= metricsEndpoint(collect(components, { process }));
      return endpoint.enter(x);
    },
  };
}

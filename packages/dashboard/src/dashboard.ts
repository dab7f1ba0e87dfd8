import {
  type Awaitable,
  type Clock,
  type Component,
  channel,
  InvalidOptionError,
  knownOptions,
  oneOf,
  type Policy,
  problem,
  type Reply,
  systemClock,
  WeirError,
} from '@weir/core';
import { type Auth, type Guard, guardOf, isForeign, newToken, sameText } from './access.ts';
import { type Asset, readAssets } from './assets.ts';
import { EventLog } from './event-log.ts';
import { Feed } from './feed.ts';
import { Onsets } from './onsets.ts';
import { Camera, identity } from './snapshot.ts';

/** What the dashboard can be told. */
export interface DashboardOptions {
  /**
   * Who may see it: a user and a password, asked for by the browser (HTTP Basic, so use TLS), or a function that says of a
   * request whether it may.
   *
   * @default only requests from this machine to this machine
   */
  readonly auth?: Auth;
  /**
   * Whether operators may act on components from the page: force a breaker open, drain an upstream, purge a cache. Each
   * action is a POST from the page itself, with its token.
   *
   * @default false: nothing can be changed
   */
  readonly actions?: boolean;
  /** Time source. @default systemClock */
  readonly clock?: Clock;
}

/** The policy, and the end of its subscriptions. */
export interface Dashboard extends Policy, Disposable {
  /** Ends open pages and stops listening to events. */
  close(): void;
}

const acted = channel('weir:dashboard:action');

const noStore = ['cache-control', 'no-store', 'x-content-type-options', 'nosniff'];
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const pageHeaders = [
  ...noStore,
  'content-security-policy',
  contentPolicy,
  'referrer-policy',
  'no-referrer',
  'cross-origin-opener-policy',
  'same-origin',
];

/**
 * One page that shows what components are doing: what is red, since when and why, rates and states, the last events. It
 * answers every request that it is mounted for, at any path: the page itself where the path ends with a slash, and below
 * it `snapshot` (JSON) and `events` (server-sent events, a frame a second). While no page is open it does nothing.
 *
 * @param components a list, or a function that gives it, read for each frame
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * app.use('/_weir/*', weir(dashboard([limiter, pool, breaker], { auth: { user: 'ops', password } })));
 */
export function dashboard(
  components: readonly Component[] | (() => readonly Component[]),
  options: DashboardOptions = {},
): Dashboard {
  knownOptions(options, ['auth', 'actions', 'clock'], 'dashboard');
  const { clock = systemClock } = options;
  const actions = oneOf(options.actions ?? false, 'actions', [true, false]);
  const guard = guardOf(options.auth);
  const list = listOf(components);
  const log = new EventLog(clock);
  const onsets = new Onsets(clock);
  const camera = new Camera(list, log, onsets, clock, actions);
  const feed = new Feed(camera);
  const token = newToken();
  let assets: ReadonlyMap<string, Asset> | undefined;

  const page = (name: string): Reply | undefined => {
    assets ??= readAssets(token);
    const asset = assets.get(name);
    return (
      asset && {
        status: 200,
        kind: 'ok',
        headers: ['content-type', asset.type, ...pageHeaders],
        body: asset.body,
      }
    );
  };
  const show = (name: string): Reply => {
    if (name === 'snapshot') {
      const headers = ['content-type', 'application/json', ...noStore];
      return { status: 200, kind: 'ok', headers, body: JSON.stringify(camera.take()) };
    }
    if (name === 'events') {
      if (feed.full)
        return problem(503, { detail: 'Too many pages are open.', headers: ['retry-after', '10'] });
      // A proxy in between must not gather events.
      const headers = ['content-type', 'text/event-stream', 'x-accel-buffering', 'no', ...noStore];
      return { status: 200, kind: 'ok', headers, body: feed.open() };
    }
    // A page at a path without a slash would look for its parts one level too high.
    return (
      page(name) ?? {
        status: 308,
        kind: 'ok',
        headers: ['location', `./${encodeURIComponent(name)}/`, ...noStore],
      }
    );
  };
  const act = async (query: URLSearchParams): Promise<Reply> => {
    const [kind, name, action] = ['kind', 'name', 'action'].map((each) => query.get(each) ?? '') as [
      string,
      string,
      string,
    ];
    const component = list().find((each) => identity(each) === identity({ kind, name }));
    const all = component?.actions ?? {};
    const run = Object.hasOwn(all, action) ? all[action] : undefined;
    if (run === undefined) return problem(404, { detail: 'There is no such action.' });
    const given = query.get('argument') ?? undefined;
    const event = { kind, name, action, argument: given };
    if (acted.hasSubscribers) acted.publish(event);
    log.add('dashboard:action', event);
    try {
      await run(given === undefined ? undefined : argumentOf(given));
    } catch (error) {
      if (error instanceof WeirError) return problem(400, { detail: error.message });
      throw error;
    }
    return { status: 204, kind: 'ok', headers: noStore };
  };

  const answer = (
    method: string,
    name: string,
    url: string,
    allowed: () => Reply | undefined,
  ): Awaitable<Reply> => {
    if (name === 'actions') {
      if (!actions) return problem(403, { detail: 'This dashboard shows, and changes nothing.' });
      if (method !== 'POST') return problem(405, { headers: ['allow', 'POST'] });
      return allowed() ?? act(new URLSearchParams(url.slice(url.indexOf('?') + 1)));
    }
    if (method !== 'GET' && method !== 'HEAD') return problem(405, { headers: ['allow', 'GET, HEAD'] });
    return show(name);
  };

  const close = (): void => {
    feed.close();
    log.close();
    onsets.close();
  };
  return {
    name: 'dashboard',
    enter(x) {
      const name = x.path.slice(x.path.lastIndexOf('/') + 1);
      const mayAct = (): Reply | undefined => {
        if (isForeign(x)) return problem(403, { detail: 'This came from another site.' });
        return sameText(x.header('x-weir-token') ?? '', token)
          ? undefined
          : problem(403, { detail: 'The token of the page is missing or old: load the page again.' });
      };
      return after(guard(x), (refusal) => refusal ?? answer(x.method, name, x.url, mayAct));
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** What an action is given: a JSON object as such, such as `{"tag":"news"}` for a purge; anything else as text. */
function argumentOf(text: string): unknown {
  if (!text.startsWith('{')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function after(
  value: ReturnType<Guard>,
  then: (refusal: Reply | undefined) => Awaitable<Reply>,
): Awaitable<Reply> {
  return value !== undefined && 'then' in value ? Promise.resolve(value).then(then) : then(value);
}

function listOf(components: unknown): () => readonly Component[] {
  if (typeof components === 'function') return components as () => readonly Component[];
  const valid = Array.isArray(components) && components.every((each) => typeof each?.snapshot === 'function');
  if (!valid)
    throw new InvalidOptionError(
      'components',
      'a list of components, or a function that gives one',
      components,
    );
  const list = [...(components as Component[])];
  return () => list;
}

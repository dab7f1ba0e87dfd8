import type { Awaitable, Exchange, Leave, Reply } from '@weir/core';
import { BackgroundExchange, fetchInBackground } from './background.ts';
import type { Address } from './cache-key.ts';
import type { Forwarded } from './cache-status.ts';
import { clientDirectives, satisfies, toleratesStale } from './client-directives.ts';
import type { Directives } from './directives.ts';
import { type Errand, Fill } from './fill.ts';
import type { Flight } from './flights.ts';
import { HeadUpdate } from './head-update.ts';
import type { Keeper } from './keeper.ts';
import { type Asked, askedBy, serve } from './serve.ts';
import type { StoredResponse } from './stored-response.ts';
import { unref } from './unref.ts';

/** How a request may behave towards others. */
interface Manner {
  /** It may wait for another one's answer. */
  readonly waits: boolean;
  /** It has waited, and the answer is there. */
  readonly collapsed: boolean;
}

const first: Manner = { waits: true, collapsed: false };
const alone: Manner = { waits: false, collapsed: false };
const served: Manner = { waits: false, collapsed: true };

type Entered = Awaitable<undefined | Reply | Leave>;

/** For so long after the origin failed it is not asked again for what may be used meanwhile, ms. */
const holdOff = 1_000;

/** For `only-if-cached` (RFC 9111, 5.2.1.7). */
const notCached: Reply = { status: 504, headers: ['content-length', '0'], kind: 'rejected' };

/** What becomes of a GET or HEAD: an answer from the store, a wait, or a way to the origin. */
export class Reader {
  readonly #keeper: Keeper;

  constructor(keeper: Keeper) {
    this.#keeper = keeper;
  }

  read(x: Exchange, address: Address, manner: Manner = first): Entered {
    const keeper = this.#keeper;
    const all = keeper.settings.clientDirectives;
    const stored = keeper.store.select(address, x);
    const control = clientDirectives(x, all);
    // Only the origin can say whether what is there now is what the client means (RFC 9111, 4.3.2).
    if (x.header('if-match') !== undefined || x.header('if-unmodified-since') !== undefined)
      return this.#forward(x, address, { why: 'request', detail: 'condition' });
    if (stored === undefined) return this.#miss(x, address, control, manner);
    if (!stored.terms.shareable && x.header('authorization') !== undefined)
      return this.#forward(x, address, { why: 'request', detail: 'authorization' });
    const now = keeper.now();
    const followed = all && !manner.collapsed ? control : undefined;
    if (stored.freshFor(now) > 0 && !stored.terms.noCache) {
      if (followed === undefined || satisfies(followed, stored, now))
        return this.#hit(x, stored, now, manner);
    } else if (followed !== undefined && toleratesStale(followed, stored, now)) {
      return this.#useStale(x, stored, now);
    }
    if (control?.onlyIfCached === true) return notCached;
    return this.#stale(x, address, stored, now, manner);
  }

  #hit(x: Exchange, stored: StoredResponse, now: number, { collapsed }: Manner): Reply {
    const { status, counts } = this.#keeper;
    if (collapsed) {
      counts.collapsed += 1;
      const label = status && ((ttl: number) => status.forwarded('uri-miss', { ttl, collapsed }));
      return this.#serve(x, stored, now, label);
    }
    counts.hit += 1;
    const plain =
      x.header('if-none-match') === undefined &&
      x.header('if-modified-since') === undefined &&
      x.header('range') === undefined;
    if (!plain) return this.#serve(x, stored, now, status?.hit);
    const age = stored.age(now);
    if (stored.hit?.age !== age) stored.hit = { age, reply: this.#serve(x, stored, now, status?.hit) };
    return stored.hit.reply;
  }

  #useStale(x: Exchange, stored: StoredResponse, now: number): Reply {
    this.#keeper.counts.stale += 1;
    return this.#serve(x, stored, now, this.#keeper.status?.hit);
  }

  #serve(
    x: Exchange,
    stored: StoredResponse,
    now: number,
    status: ((ttl: number) => string) | undefined,
  ): Reply {
    return serve(stored, x, now, () => this.#keeper.epoch(), { status });
  }

  /** It is there, but must not be used as it is. */
  #stale(x: Exchange, address: Address, stored: StoredResponse, now: number, manner: Manner): Entered {
    const keeper = this.#keeper;
    if (x.method === 'HEAD') {
      keeper.counts.miss += 1;
      if (x.header('authorization') === undefined)
        x.body?.tap(new HeadUpdate(keeper, x, address.key, stored));
      return undefined;
    }
    const flight = keeper.flights.find(address, x);
    const fresh = stored.freshFor(now) > 0;
    if (!fresh) {
      const failedLately = now - stored.failedAt < holdOff;
      if (stored.survivesRevalidation(now)) {
        if (flight !== undefined || failedLately) return this.#useStale(x, stored, now);
        if (this.#refresh(x, address, stored)) return this.#useStale(x, stored, now);
      } else if (stored.survivesError(now)) {
        // The origin has failed, and is being asked again by one at most.
        const asking = flight !== undefined && stored.failedAt > stored.terms.bornAt;
        if (failedLately || asking) return this.#useStale(x, stored, now);
      }
    }
    if (flight !== undefined && manner.waits) return this.#wait(flight, x, address);
    const why: Forwarded = fresh ? 'request' : 'stale';
    const own = manner.waits ? this.#revalidation(address, stored) : undefined;
    return this.#forward(x, address, { why, validating: stored, flight: own });
  }

  #miss(x: Exchange, address: Address, control: Directives | undefined, manner: Manner): Entered {
    const keeper = this.#keeper;
    if (control?.onlyIfCached === true) return notCached;
    const why: Forwarded = keeper.store.has(address.key) ? 'vary-miss' : 'uri-miss';
    const shared =
      manner.waits &&
      x.method === 'GET' &&
      keeper.settings.maxWait > 0 &&
      control?.noStore !== true &&
      x.header('authorization') === undefined &&
      x.header('range') === undefined &&
      !keeper.store.passes(address.key, keeper.now());
    if (!shared) return this.#forward(x, address, { why });
    const flight = keeper.flights.find(address, x);
    if (flight !== undefined) return this.#wait(flight, x, address);
    return this.#forward(x, address, { why, flight: keeper.flights.start(address) });
  }

  /** A flight that asks about a stored response. */
  #revalidation(address: Address, stored: StoredResponse): Flight | undefined {
    const { settings, flights } = this.#keeper;
    return settings.maxWait === 0 ? undefined : flights.start(address, stored.audience.selection);
  }

  /** Lets a request go to the origin, and follows the answer. */
  #forward(x: Exchange, address: Address, errand: Errand): Leave | undefined {
    const keeper = this.#keeper;
    const { body } = x;
    const { flight, validating } = errand;
    keeper.counts.miss += 1;
    if (x.method === 'HEAD') {
      // There will be no body: what comes must not be taken for the answer to a GET.
      keeper.label(x, errand.why, { detail: errand.detail });
      return undefined;
    }
    if (body === undefined) {
      if (flight !== undefined) keeper.flights.settle(flight, 'alone');
      return undefined;
    }
    let asked: Asked | undefined;
    if (validating !== undefined) {
      asked = askedBy(x);
      for (const [name, value] of conditions(validating)) body.setRequestHeader(name, value);
    } else if (flight !== undefined) {
      // The others want the whole of it, and so does the store; the client gets it too.
      for (const name of ['if-none-match', 'if-modified-since'])
        if (x.header(name) !== undefined) body.setRequestHeader(name, undefined);
    }
    const fill = new Fill(keeper, x, address, { ...errand, asked });
    body.tap(fill);
    return flight === undefined ? undefined : (outcome) => fill.left(outcome.kind === 'aborted');
  }

  async #wait(flight: Flight, x: Exchange, address: Address): Promise<undefined | Reply | Leave> {
    const keeper = this.#keeper;
    const verdict = await keeper.flights.join(flight, x, keeper.settings.maxWait);
    switch (verdict) {
      case 'look':
        return this.read(x, address, served);
      case 'again':
        return this.read(x, address, first);
      case 'alone':
        return this.read(x, address, alone);
      case 'gone':
        return undefined;
      case 'lead': {
        if (x.signal.aborted) {
          keeper.flights.promote(flight);
          return undefined;
        }
        const validating = keeper.store.select(address, x);
        const why: Forwarded = validating === undefined ? 'uri-miss' : 'stale';
        return this.#forward(x, address, { why, flight, validating });
      }
    }
  }

  /** Revalidates behind the scenes, if that was arranged. */
  #refresh(x: Exchange, address: Address, stored: StoredResponse): boolean {
    const keeper = this.#keeper;
    const { background } = keeper.settings;
    if (background === undefined) return false;
    const { origin, timeout } = background;
    const controller = new AbortController();
    const quiet = new BackgroundExchange(x, x.body?.requestHeaders() ?? [], controller.signal);
    for (const [name, value] of conditions(stored)) quiet.body.setRequestHeader(name, value);
    const flight = this.#revalidation(address, stored);
    const fill = new Fill(keeper, quiet, address, { why: 'stale', validating: stored, flight });
    const timer = setTimeout(() => controller.abort(new Error(`no answer within ${timeout} ms`)), timeout);
    unref(timer);
    const work = fetchInBackground(origin, quiet, fill).then((complete) => {
      clearTimeout(timer);
      if (complete) return;
      keeper.counts.backgroundFailures += 1;
      stored.failedAt = keeper.now();
    });
    x.waitUntil(work);
    return true;
  }
}

/** What a request asks the origin so that it need not send again what is stored (RFC 9111, 4.3.1). */
function conditions({ validators }: StoredResponse): [name: string, value: string | undefined][] {
  return [
    ['if-none-match', validators.etag],
    ['if-modified-since', validators.lastModified],
    ['range', undefined],
    ['if-range', undefined],
  ];
}

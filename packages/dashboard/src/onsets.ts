import type { Clock } from '@weir/core';
import { subscribe } from './channels.ts';
import type { Level } from './level.ts';

/** One thing that is wrong with a component. */
interface Trouble {
  readonly level: Level;
  readonly since: number;
  /** When it was last seen, of what is told again and again for as long as it lasts. */
  seen: number;
}

/** What comes again within so long is the same spell, ms. */
const oneSpell = 60_000;

/** What begins and ends with an event of its own, by channel. */
const turns: { readonly [what: string]: readonly [part: string, begins: boolean, level: Level] } = {
  'load-balancer:ejected': ['ejected', true, 'bad'],
  'load-balancer:returned': ['ejected', false, 'bad'],
  'load-balancer:down': ['down', true, 'bad'],
  'load-balancer:up': ['down', false, 'bad'],
  'load-balancer:draining': ['draining', true, 'warn'],
  'load-balancer:resumed': ['draining', false, 'warn'],
};

/** What `kind` goes by here: a set of breakers is told of by its name, and so is the breaker of a Redis client. */
const family = (kind: string): string => (kind === 'breakers' || kind === 'redis' ? 'breaker' : kind);

/**
 * Since when something is wrong, whether or not anybody looks: kept from events, so that a page that is opened when it has
 * gone on for an hour says so. Costs nothing while all is well, and each refusal of a limiter a look-up.
 */
export class Onsets {
  readonly #clock: Clock;
  /** How many breakers of a name are not closed: those of a set are told apart by their keys, which may be secret. */
  readonly #notClosed = new Map<string, number>();
  /** By component, then by part: an upstream, a kind of refusal. Bounded by what there is. */
  readonly #troubles = new Map<string, Map<string, Trouble>>();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(clock: Clock) {
    this.#clock = clock;
    const told = (what: string, act: (message: { readonly [name: string]: unknown }) => void) =>
      subscribe(what, (message) => act(message as { readonly [name: string]: unknown }));
    this.#unsubscribe = [
      ...Object.entries(turns).map(([what, [part, begins, level]]) =>
        told(what, ({ pool, upstream }) => {
          const id = `pool\n${pool}`;
          if (begins) this.#begin(id, `${part} ${upstream}`, level);
          else this.#end(id, `${part} ${upstream}`);
        }),
      ),
      told('load-balancer:removed', ({ pool, upstream }) => {
        for (const part of ['ejected', 'down', 'draining']) this.#end(`pool\n${pool}`, `${part} ${upstream}`);
      }),
      told('circuit-breaker:state', ({ breaker, from, to }) => this.#turned(`breaker\n${breaker}`, from, to)),
      told('rate-limit:refused', ({ limiter, shadow }) =>
        this.#again(`limiter\n${limiter}`, shadow === true ? 'would refuse' : 'refusing', 'warn'),
      ),
      told('rate-limit:store-error', ({ limiter }) =>
        this.#again(`limiter\n${limiter}`, 'store failing', 'bad'),
      ),
    ];
  }

  /** When what makes a component red or amber began, wall clock; undefined if no event told of it. */
  since(kind: string, name: string, level: Level): number | undefined {
    let first: number | undefined;
    for (const trouble of this.#of(kind, name)?.values() ?? []) {
      if (trouble.level === level && trouble.since < (first ?? Number.POSITIVE_INFINITY))
        first = trouble.since;
    }
    return first;
  }

  /** Whether this was told of within the last so many ms. */
  lately(kind: string, name: string, part: string, ms: number): boolean {
    const trouble = this.#of(kind, name)?.get(part);
    return trouble !== undefined && this.#clock.epoch() - trouble.seen <= ms;
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #of(kind: string, name: string): Map<string, Trouble> | undefined {
    return this.#troubles.get(`${family(kind)}\n${name}`);
  }

  #turned(id: string, from: unknown, to: unknown): void {
    const before = this.#notClosed.get(id) ?? 0;
    // One may have been open before anybody listened.
    const count = Math.max(0, before + (from === 'closed' ? 1 : to === 'closed' ? -1 : 0));
    if (count > 0) this.#notClosed.set(id, count);
    else this.#notClosed.delete(id);
    if (count > 0 || to !== 'closed') this.#begin(id, '', 'bad');
    else this.#end(id, '');
  }

  #begin(id: string, part: string, level: Level): void {
    const at = this.#clock.epoch();
    let parts = this.#troubles.get(id);
    if (parts === undefined) this.#troubles.set(id, (parts = new Map()));
    const since = parts.get(part)?.since ?? at;
    parts.set(part, { level, since, seen: at });
  }

  /** What has no end of its own: it ends when it is not heard of for a while. */
  #again(id: string, part: string, level: Level): void {
    const trouble = this.#troubles.get(id)?.get(part);
    const at = this.#clock.epoch();
    // Told of at each refusal: nothing is made anew while it goes on.
    if (trouble !== undefined && at - trouble.seen <= oneSpell) {
      trouble.seen = at;
      return;
    }
    this.#end(id, part);
    this.#begin(id, part, level);
  }

  #end(id: string, part: string): void {
    const parts = this.#troubles.get(id);
    parts?.delete(part);
    if (parts?.size === 0) this.#troubles.delete(id);
  }
}

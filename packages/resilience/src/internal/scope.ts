import type { RetryBudget } from '../retry-budget.ts';
import type { CallContext } from '../strategy.ts';

/** A context whose signal is made when somebody asks for it: a controller costs more than most strategies. */
export class Scope implements CallContext {
  readonly attempt: number;
  readonly counted: RetryBudget | undefined;
  readonly #outer: Scope | AbortSignal | undefined;
  readonly #abortable: boolean;
  #controller: AbortController | undefined;
  #signal: AbortSignal | undefined;
  #aborted = false;
  #reason: unknown;

  /** @param abortable whether this scope can be given up by itself, with `abort` */
  constructor(
    outer: Scope | AbortSignal | undefined,
    attempt: number,
    counted: RetryBudget | undefined,
    abortable = false,
  ) {
    this.attempt = attempt;
    this.counted = counted;
    this.#outer = outer;
    this.#abortable = abortable;
  }

  /** The scope of a context that somebody else made, or that is one already. */
  static of(context: Partial<CallContext>): Scope {
    if (context instanceof Scope) return context;
    const { signal, attempt = 1, counted } = context;
    return new Scope(signal, attempt, counted);
  }

  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const given = givenBy(this.#outer);
    if (!this.#abortable && given !== undefined) {
      this.#signal = given;
      return given;
    }
    this.#controller = new AbortController();
    if (this.#aborted) this.#controller.abort(this.#reason);
    const own = this.#controller.signal;
    // The caller's goes on to count when the call has ended, for a body that is still being read.
    this.#signal = given === undefined ? own : AbortSignal.any([given, own]);
    return this.#signal;
  }

  /** What may give the call up, to listen to; undefined: nothing can. */
  get given(): AbortSignal | undefined {
    return this.#abortable ? this.signal : givenBy(this.#outer);
  }

  get aborted(): boolean {
    return this.#aborted || this.#outer?.aborted === true;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.signal.reason;
  }

  abort(reason: unknown): void {
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

const givenBy = (outer: Scope | AbortSignal | undefined): AbortSignal | undefined =>
  outer instanceof Scope ? outer.given : outer;

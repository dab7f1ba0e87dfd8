import type { Pairs, Policy, Reply, Tap } from '@weir/core';
import { discard, type HostExchange } from './exchange.ts';

/** Response headers in the forms that hosts hold them. */
export type HeaderBag = { readonly [lowerName: string]: string | number | readonly string[] | undefined };

/** A tap, who set it, and the headers that stood on the response then: they are not the handler's. */
export interface LiveTap {
  readonly tap: Tap;
  readonly policy: Policy;
  readonly before: HeaderBag;
  live: boolean;
}

/** The taps of one response. The innermost, set last, sees everything first. */
export class Taps {
  readonly #x: HostExchange;
  readonly #taps: LiveTap[] = [];

  constructor(x: HostExchange) {
    this.#x = x;
  }

  get any(): boolean {
    return this.#taps.length > 0;
  }

  /** Whether any tap still wants the body. */
  get live(): boolean {
    return this.#taps.some((tap) => tap.live);
  }

  /** Bodies are arranged while policies enter; later the response may be on its way. */
  requireEntering(method: string): Policy {
    const policy = this.#x.entering;
    if (policy === undefined) throw new Error(`${method}() may be called only while \`enter\` runs or pends`);
    return policy;
  }

  add(tap: Tap, before: HeaderBag): void {
    this.#taps.push({ tap, policy: this.requireEntering('tap'), before, live: true });
  }

  /**
   * Shows the head to each tap.
   *
   * @param headers the response's headers as they stand, lower-case
   * @param policyHeaders those that policies set; undefined if all headers are known to be the handler's
   * @returns the reply that the outermost replacing tap wants instead, if any
   */
  head(
    status: number,
    headers: Pairs,
    policyHeaders: Pairs | undefined,
  ): { readonly reply: Reply; readonly tap: LiveTap } | undefined {
    let replacement: { reply: Reply; tap: LiveTap } | undefined;
    for (let i = this.#taps.length - 1; i >= 0; i -= 1) {
      const tap = this.#taps[i] as LiveTap;
      if (!tap.live) continue;
      const head =
        replacement === undefined
          ? { status, headers: policyHeaders ? handlersOwn(headers, policyHeaders, tap.before) : headers }
          : { status: replacement.reply.status, headers: replacement.reply.headers ?? [] };
      const result = this.#guard(tap, () => tap.tap.head?.(head));
      if (result === false) tap.live = false;
      else if (result !== undefined) {
        if (replacement !== undefined) discard(replacement.reply, new Error('replaced by an outer policy'));
        replacement = { reply: result, tap };
        for (let j = this.#taps.length - 1; j > i; j -= 1) this.#endOne(this.#taps[j] as LiveTap, false);
        this.#endOne(tap, true);
        this.#x.answered(result, tap.policy.name);
      }
    }
    return replacement;
  }

  chunk(chunk: Uint8Array): void {
    for (let i = this.#taps.length - 1; i >= 0; i -= 1) {
      const tap = this.#taps[i] as LiveTap;
      if (!tap.live) continue;
      if (this.#guard(tap, () => tap.tap.chunk?.(chunk)) === false) tap.live = false;
    }
  }

  /** The body is over for every tap that still listens. */
  end(complete: boolean): void {
    for (let i = this.#taps.length - 1; i >= 0; i -= 1) this.#endOne(this.#taps[i] as LiveTap, complete);
  }

  #endOne(tap: LiveTap, complete: boolean): void {
    if (!tap.live) return;
    tap.live = false;
    this.#guard(tap, () => tap.tap.end?.(complete));
  }

  /** A tap that throws is detached; the response goes on without it. */
  #guard<T>(tap: LiveTap, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#x.settings.fault(error, `tap of policy "${tap.policy.name}"`);
      this.#endOne(tap, false);
      return undefined;
    }
  }
}

/** The headers that the handler made: without what policies set and what stood there before, unless it changed them. */
function handlersOwn(headers: Pairs, policyHeaders: Pairs, before: HeaderBag): Pairs {
  const own: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i] as string, headers[i + 1] as string];
    if (!stoodBefore(before[name], value) && !isAmong(policyHeaders, name, value)) own.push(name, value);
  }
  return own;
}

function stoodBefore(before: HeaderBag[string], value: string): boolean {
  if (before === undefined) return false;
  return Array.isArray(before) ? before.includes(value) : String(before) === value;
}

function isAmong(pairs: Pairs, lowerName: string, value: string): boolean {
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i + 1] === value && pairs[i]?.toLowerCase() === lowerName) return true;
  }
  return false;
}

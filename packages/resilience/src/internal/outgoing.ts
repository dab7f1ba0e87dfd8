import { isReplayable } from './fetch-response.ts';

/** One call of the wrapped fetch. */
export class Outgoing {
  /** URLs of the upstreams that have been tried. */
  readonly tried: string[] = [];
  readonly url: URL;
  /** The caller's; undefined: nobody gives the call up. */
  readonly signal: AbortSignal | undefined;
  readonly #input: string | URL | Request;
  readonly #init: RequestInit;
  readonly #until: number;

  constructor(input: string | URL | Request, init: RequestInit, until: number) {
    this.url = new URL(input instanceof Request ? input.url : input);
    this.signal = init.signal ?? (input instanceof Request ? input.signal : undefined);
    this.#input = input;
    this.#init = init;
    this.#until = until;
  }

  get #headers(): Headers {
    return new Headers(
      this.#init.headers ?? (this.#input instanceof Request ? this.#input.headers : undefined),
    );
  }

  mayRepeat(methods: ReadonlySet<unknown>): boolean {
    const own = this.#input instanceof Request ? this.#input : undefined;
    const method = (this.#init.method ?? own?.method ?? 'GET').toUpperCase();
    const body = this.#init.body ?? own?.body;
    return isReplayable(body) && (methods.has(method) || this.#headers.has('idempotency-key'));
  }

  /** What is handed to fetch for one attempt. */
  aimedAt(
    upstream: string | undefined,
    signal: AbortSignal,
    deadlineHeader: string | false,
    perAttempt: number,
    now: number,
  ): [string | URL | Request, RequestInit] {
    const init: RequestInit = { ...this.#init, signal };
    if (deadlineHeader !== false) {
      const left = Math.min(this.#until - now, perAttempt === 0 ? Infinity : perAttempt);
      const headers = this.#headers;
      if (left !== Infinity) headers.set(deadlineHeader, String(Math.max(0, Math.floor(left))));
      init.headers = headers;
    }
    if (upstream === undefined) return [this.#input, init];
    const { protocol, host } = new URL(upstream);
    const url = new URL(this.url);
    url.protocol = protocol;
    url.host = host;
    return [this.#input instanceof Request ? new Request(url, this.#input) : url, init];
  }
}

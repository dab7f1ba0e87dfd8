import type { Duplex, Readable } from 'node:stream';
import type { Exchange, Reply } from '@weir/core';
import { stick } from '@weir/load-balancer';
import type { Dispatcher } from 'undici';
import { type Choice, choose, giveBack } from './choice.ts';
import { type FailureType, failureType } from './failure.ts';
import type { Forwarder } from './forwarder.ts';
import type { RequestBody } from './request-body.ts';
import { hasField, type RequestHead } from './request-head.ts';
import { type ParsedFields, responseFields, retryAfterMs } from './response-head.ts';
import { Try, type TryOwner } from './try.ts';

/** Methods that may be sent twice (RFC 9110, 9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** An upstream that has changed protocols: the head of its answer, and the socket. */
export interface Upgraded {
  readonly headers: readonly string[];
  readonly socket: Duplex;
  /** To be called once, when the tunnel is closed. */
  closed(outcome: 'ok' | 'failure' | 'ignore'): void;
}

/** Who waits for a request that is on its way. */
export interface Waiting {
  resolve(answer: Reply | Upgraded): void;
  reject(error: unknown): void;
}

/** One request on its way, over as many tries as it may have: one after the other, or two beside each other. */
export class Forwarding implements TryOwner {
  readonly #x: Exchange;
  readonly #forwarder: Forwarder;
  readonly #head: RequestHead;
  readonly #body: RequestBody | undefined;
  readonly #upgrade: string | undefined;
  readonly #waiting: Waiting;
  readonly #tried: string[] = [];
  /** Tries without a head. */
  #running: Try[] = [];
  /** An answer that is worth another try, kept for the case that no better one comes. */
  #held: Try | undefined = undefined;
  #heldFields: ParsedFields | undefined = undefined;
  #hedge: Try | undefined = undefined;
  #failure: FailureType = 'destination_unavailable';
  #totalTimer: NodeJS.Timeout | undefined = undefined;
  /** The next thing to do before a head has come: a hedge, or a retry that waits. */
  #nextTimer: NodeJS.Timeout | undefined = undefined;
  /** Whether it is settled what the client gets. */
  #done = false;
  #over = false;

  constructor(
    x: Exchange,
    forwarder: Forwarder,
    head: RequestHead,
    body: RequestBody | undefined,
    upgrade: string | undefined,
    waiting: Waiting,
  ) {
    this.#x = x;
    this.#forwarder = forwarder;
    this.#head = head;
    this.#body = body;
    this.#upgrade = upgrade;
    this.#waiting = waiting;
  }

  begin(): void {
    const { settings, tally } = this.#forwarder;
    const { signal } = this.#x;
    tally.inFlight += 1;
    if (signal.aborted) {
      this.#clientLeft();
      return;
    }
    signal.addEventListener('abort', () => this.#clientLeft());
    settings.budget?.request();
    const choice = this.#choose();
    if (choice === undefined) {
      this.#answer(this.#forwarder.unavailable());
      return;
    }
    if (settings.totalMs > 0) this.#totalTimer = after(settings.totalMs, () => this.#expire());
    if (this.#body !== undefined) this.#body.onTurn = (upstreams) => this.#turn(upstreams);
    this.#send(choice);
    if (settings.hedgeAfterMs > 0 && !this.#done && this.#mayRepeat()) {
      this.#nextTimer = after(settings.hedgeAfterMs, () => this.#beginHedge());
    }
  }

  get clientBroke(): boolean {
    return this.#body?.broken === true;
  }

  answered(attempt: Try, fields: ParsedFields): void {
    const { settings, tally, clock } = this.#forwarder;
    const { status } = attempt;
    tally.heads.observe(attempt.headMs);
    const askedMs = status >= 400 ? retryAfterMs(fields, () => clock.epoch()) : 0;
    attempt.report(askedMs);
    this.#ran(attempt);
    if (!settings.statuses.has(status) || !this.#mayBecomeBetter(askedMs)) {
      this.#take(attempt, fields);
      return;
    }
    attempt.hold();
    this.#held?.dismiss();
    this.#held = attempt;
    this.#heldFields = fields;
    if (this.#running.length > 0) return;
    if (askedMs > 0) this.#later(askedMs, () => this.#again(true));
    else this.#again(true);
  }

  upgraded(attempt: Try, fields: ParsedFields, socket: Duplex): void {
    const { tally } = this.#forwarder;
    tally.heads.observe(attempt.headMs);
    attempt.report(0);
    this.#ran(attempt);
    const protocol = String(fields.upgrade ?? '');
    if (attempt.status !== 101 || !asked(protocol, this.#upgrade)) {
      socket.destroy();
      attempt.release('failure');
      this.#fail(attempt, 'http_upgrade_failed', undefined);
      return;
    }
    this.#settle(attempt);
    const headers = this.#fields(attempt, fields);
    if (headers === undefined) {
      socket.destroy();
      attempt.release('ignore');
      this.#end();
      return;
    }
    tally.answered += 1;
    this.#waiting.resolve({
      headers: [...headers, 'connection', 'upgrade', 'upgrade', protocol],
      socket,
      closed: (outcome) => {
        attempt.release(outcome);
        this.#end();
      },
    });
  }

  failed(attempt: Try, error: unknown): void {
    this.#ran(attempt);
    if (this.clientBroke) this.#clientLeft();
    else this.#fail(attempt, failureType(error), error);
  }

  ended(): void {
    // Of the others nobody needs to know: only the one that is taken can end after this is settled.
    if (this.#done) this.#end();
  }

  /** A try is over without an answer. */
  #fail(attempt: Try, type: FailureType, error: unknown): void {
    this.#failure = type;
    this.#forwarder.note(type, attempt.lease.upstream, error, this.#x);
    // The one beside it has the word.
    if (this.#done || this.#running.length > 0) return;
    const unsent = !attempt.sent && this.#tried.length <= this.#forwarder.settings.retries;
    if (type !== 'http_request_error' && (unsent || this.#mayRepeat())) this.#again(attempt.sent);
    else this.#conclude();
  }

  /** Whether to wait for another answer: one that is under way, or one to a further try. */
  #mayBecomeBetter(askedMs: number): boolean {
    if (this.#running.length > 0) return true;
    return askedMs <= this.#forwarder.settings.maxWaitMs && this.#mayRepeat();
  }

  /** Whether a request that was sent may be sent once more, and there is somewhere to send it. */
  #mayRepeat(): boolean {
    return (
      this.#body === undefined &&
      this.#tried.length <= this.#forwarder.settings.retries &&
      this.#tried.length < this.#forwarder.pool.upstreams.length &&
      idempotent.has(this.#head.method)
    );
  }

  /** @param counted whether the request was sent before, which is what the budget bounds */
  #again(counted: boolean): void {
    const choice = this.#choose();
    if (choice === undefined) {
      this.#conclude();
      return;
    }
    if (counted && !this.#forwarder.affordsRepeat()) {
      giveBack(choice);
      this.#conclude();
      return;
    }
    this.#forwarder.tally.retries += 1;
    this.#send(choice);
  }

  #beginHedge(): void {
    if (this.#running.length === 0 || !this.#mayRepeat()) return;
    const choice = this.#choose();
    if (choice === undefined) return;
    if (!this.#forwarder.affordsRepeat()) {
      giveBack(choice);
      return;
    }
    this.#forwarder.tally.hedges += 1;
    this.#hedge = this.#send(choice);
  }

  #choose(): Choice | undefined {
    return choose(this.#x, this.#forwarder, this.#head.key, this.#tried);
  }

  #send({ lease, permit }: Choice): Try {
    const { upstream } = lease;
    const { connections, settings, tally, clock } = this.#forwarder;
    const { method, target, headers } = this.#head;
    this.#tried.push(upstream.url);
    tally.tries += 1;
    const attempt = new Try(this, lease, permit, clock);
    this.#running.push(attempt);
    attempt.expect(settings.headMs);
    const { dispatcher, host, servername } = connections.to(upstream);
    const own = host === undefined || hasField(headers, 'host');
    dispatcher.dispatch(
      {
        path: target,
        method: method as Dispatcher.HttpMethod,
        headers: own ? headers : [...headers, 'host', host],
        body: (this.#body ?? null) as Readable | null,
        upgrade: this.#upgrade,
        servername,
      } as Dispatcher.DispatchOptions,
      attempt,
    );
    return attempt;
  }

  /** A body is on its way: the upstream's time runs only while it is the one that is waited for. */
  #turn(upstreams: boolean): void {
    const [attempt] = this.#running;
    if (upstreams) attempt?.expect(this.#forwarder.settings.headMs);
    else attempt?.excuse();
  }

  #later(ms: number, action: () => void): void {
    clearTimeout(this.#nextTimer);
    this.#nextTimer = after(ms, action);
  }

  /** The time for all tries together is up. */
  #expire(): void {
    if (this.#done) return;
    for (const attempt of this.#stop()) {
      this.#forwarder.note('http_response_timeout', attempt.lease.upstream, undefined, this.#x);
      attempt.expire();
    }
    this.#failure = 'http_response_timeout';
    this.#conclude();
  }

  #clientLeft(): void {
    if (this.#done) return;
    const reason = new Error('the client has gone');
    for (const attempt of this.#stop()) attempt.cancel(reason);
    this.#held?.cancel(reason);
    this.#finish();
    this.#end();
    this.#forwarder.tally.aborted += 1;
    // Nobody reads it.
    this.#waiting.resolve(this.#forwarder.reply('connection_terminated'));
  }

  /** No more tries: the answer kept back, or what the last failure was. */
  #conclude(): void {
    if (this.#held !== undefined) this.#take(this.#held, this.#heldFields as ParsedFields);
    else this.#answer(this.#forwarder.reply(this.#failure));
  }

  /** This answer is the one. */
  #take(attempt: Try, fields: ParsedFields): void {
    if (this.#held !== undefined && this.#held !== attempt) this.#held.dismiss();
    this.#held = undefined;
    this.#settle(attempt);
    // As one without a body that was kept back.
    if (attempt.over) this.#end();
    const headers = this.#fields(attempt, fields);
    if (headers === undefined) {
      attempt.cancel(new Error('its head could not be passed on'));
      return;
    }
    this.#forwarder.tally.answered += 1;
    const { status } = attempt;
    const kind = status >= 500 ? 'error' : 'ok';
    const bodyless = this.#head.method === 'HEAD' || status === 204 || status === 304;
    this.#waiting.resolve(bodyless ? { status, headers, kind } : { status, headers, body: attempt, kind });
  }

  /** Ends the waiting for a head, in favour of one try. */
  #settle(attempt: Try): void {
    for (const other of this.#stop()) other.cancel(new Error('another answer came first'));
    if (attempt === this.#hedge) this.#forwarder.tally.hedgesWon += 1;
    this.#finish();
  }

  /** The head for the client, or undefined if a hook threw. */
  #fields(attempt: Try, fields: ParsedFields): string[] | undefined {
    const { settings, pool } = this.#forwarder;
    try {
      stick(pool, this.#x, attempt.lease);
      return responseFields(attempt.status, fields, settings, this.#x, attempt.lease.upstream);
    } catch (error) {
      this.#waiting.reject(error);
      return undefined;
    }
  }

  #answer(reply: Reply): void {
    this.#finish();
    this.#end();
    this.#forwarder.tally.failed += 1;
    this.#waiting.resolve(reply);
  }

  /** Takes a try off those that are waited for. */
  #ran(attempt: Try): void {
    this.#running = this.#running.filter((each) => each !== attempt);
  }

  #stop(): readonly Try[] {
    const running = this.#running;
    this.#running = [];
    return running;
  }

  /** It is settled what the client gets. */
  #finish(): void {
    this.#done = true;
    clearTimeout(this.#totalTimer);
    clearTimeout(this.#nextTimer);
  }

  /** Nothing of this request is under way any more. */
  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#forwarder.tally.inFlight -= 1;
    this.#body?.drop(new Error('the exchange is over'));
  }
}

/** Whether a protocol is among those that were asked for. */
function asked(protocol: string, offered = ''): boolean {
  const wanted = protocol.trim().toLowerCase();
  return (
    wanted !== '' &&
    offered
      .toLowerCase()
      .split(',')
      .some((each) => each.trim() === wanted)
  );
}

function after(ms: number, action: () => void): NodeJS.Timeout {
  return setTimeout(action, ms).unref();
}

import { DrainError } from '../errors.ts';
import { after } from './after.ts';
import type { Member } from './member.ts';

/** Those who wait for a server's last request to end. */
export class Drains {
  readonly #waiting = new Map<Member, Set<(error?: unknown) => void>>();

  /** Fulfilled once nothing is in flight. */
  wait(member: Member, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (member.inFlight === 0) return Promise.resolve();
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(member) ?? new Set();
      this.#waiting.set(member, waiting);
      const settle = (error?: unknown): void => {
        cancel();
        signal?.removeEventListener('abort', abort);
        waiting.delete(settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const abort = (): void => settle(signal?.reason);
      const cancel = after(timeoutMs, () => settle(new DrainError('ERR_WEIR_DRAIN_TIMEOUT', member.url)));
      signal?.addEventListener('abort', abort);
      waiting.add(settle);
    });
  }

  /** Ends the waiting for a server, well or with an error. */
  settle(member: Member, error?: DrainError): void {
    for (const settle of this.#waiting.get(member) ?? []) settle(error);
    this.#waiting.delete(member);
  }

  close(): void {
    for (const member of [...this.#waiting.keys()]) {
      this.settle(member, new DrainError('ERR_WEIR_DRAIN_CLOSED', member.url));
    }
  }
}

import type { Random } from '@weir/core';
import type { HealthRules } from '../health.ts';
import { after } from './after.ts';
import { attempt } from './attempt.ts';
import type { Member } from './member.ts';

/**
 * Checks servers for as long as they are watched, each by its own unref'd timer. First checks are spread evenly over an
 * interval, so that many balancers, or one with many servers, never ask all at once.
 */
export class HealthChecks {
  readonly #rules: HealthRules;
  readonly #random: Random;
  readonly #judged: (member: Member) => void;
  /** What is under way for each server: a wait or a check. */
  readonly #stop = new Map<Member, () => void>();
  #closed = false;

  /** @param judged called when a server has gone down or come up */
  constructor(rules: HealthRules, random: Random, judged: (member: Member) => void) {
    this.#rules = rules;
    this.#random = random;
    this.#judged = judged;
  }

  watch(member: Member): void {
    if (!this.#closed) this.#wait(member, this.#rules.intervalMs * this.#random());
  }

  forget(member: Member): void {
    this.#stop.get(member)?.();
    this.#stop.delete(member);
  }

  close(): void {
    this.#closed = true;
    for (const member of [...this.#stop.keys()]) this.forget(member);
  }

  #wait(member: Member, ms: number): void {
    this.#stop.set(
      member,
      after(ms, () => void this.#check(member)),
    );
  }

  async #check(member: Member): Promise<void> {
    const { check, timeoutMs, intervalMs, jitter } = this.#rules;
    const { result, cancel } = attempt(timeoutMs, (signal) => check(member, signal));
    this.#stop.set(member, cancel);
    let error = '';
    try {
      if ((await result) === false) error = 'not well';
    } catch (thrown) {
      error = messageOf(thrown).slice(0, 200) || 'failed';
    }
    if (this.#stop.get(member) !== cancel) return;
    this.#wait(member, intervalMs * (1 + jitter * (2 * this.#random() - 1)));
    if (judge(member, error, this.#rules)) this.#judged(member);
  }
}

/** Counts a check. True if the server has gone down or come up by it. */
export function judge(
  member: Member,
  error: string,
  { rise, fall }: Pick<HealthRules, 'rise' | 'fall'>,
): boolean {
  const well = error === '';
  if (well) member.checksPassed += 1;
  else member.checksFailed += 1;
  member.checkError = error;
  member.contrary = well === member.down ? member.contrary + 1 : 0;
  if (member.contrary < (well ? rise : fall)) return false;
  member.contrary = 0;
  member.down = !well;
  return true;
}

/** An error in one line, with what lies behind a fetch that failed. */
function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause instanceof Error ? `${thrown.message}: ${messageOf(thrown.cause)}` : thrown.message;
}

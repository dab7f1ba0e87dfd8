/** What became of one request. */
export interface Shot<Result> {
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly ms: number;
  /** Undefined if there was none. */
  readonly result: Result | undefined;
  readonly error: unknown;
}

/** A steady stream of requests, which does not wait for answers: a slow one holds nobody up. */
export class Load<Result> {
  readonly shots: Shot<Result>[] = [];
  readonly #ask: (index: number) => Promise<Result>;
  readonly #perMs: number;
  readonly #startedAt = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(perSecond: number, ask: (index: number) => Promise<Result>) {
    this.#ask = ask;
    this.#perMs = perSecond / 1000;
    this.#timer = setInterval(() => this.#tick(), 5);
  }

  /** Sends no more. Resolves with everything, when the last answer is there. */
  async stop(): Promise<readonly Shot<Result>[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    return this.shots;
  }

  /** Resolves when so much time has passed since it began. */
  async lasts(ms: number): Promise<void> {
    await pause(this.#startedAt + ms - performance.now());
  }

  #tick(): void {
    const due = Math.floor((performance.now() - this.#startedAt) * this.#perMs);
    while (this.#sent < due) this.#shoot(this.#sent++);
  }

  #shoot(index: number): void {
    const startedAt = performance.now();
    const done = (result: Result | undefined, error: unknown): void => {
      this.shots.push({ startedAt, ms: performance.now() - startedAt, result, error });
      this.#underWay.delete(work);
    };
    const work = this.#ask(index).then(
      (result) => done(result, undefined),
      (error: unknown) => done(undefined, error),
    );
    this.#underWay.add(work);
  }
}

/** The time that so large a share of requests took at most, in ms. */
export function quantile(shots: readonly Shot<unknown>[], share: number): number {
  const sorted = shots.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** What the slowest took, in ms. */
export function slowest(shots: readonly Shot<unknown>[]): number {
  return Math.max(...shots.map(({ ms }) => ms));
}

/** Lets time pass where time itself is what is waited for. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

/** Promises that a test settles by hand, in whatever order it likes. */
export class Gates {
  readonly #open: (() => void)[] = [];

  get size(): number {
    return this.#open.length;
  }

  /** Waits until the test lets it go. */
  wait(): Promise<void> {
    return new Promise((resolve) => void this.#open.push(resolve));
  }

  /** Lets the one with that index go. */
  release(index = 0): void {
    this.#open.splice(index, 1)[0]?.();
  }

  releaseAll(): void {
    while (this.#open.length > 0) this.release();
  }

  /** Lets all go, and those that come when they have gone on, until no more come. */
  async drain(): Promise<void> {
    for (await settled(); this.#open.length > 0; await settled()) this.releaseAll();
  }
}

/** A promise and how to settle it. */
export function deferred<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

/** Lets everything happen that waits for promises only. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await undefined;
}

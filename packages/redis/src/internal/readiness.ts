import type { Driver } from './driver.ts';

/** How often the link is looked at while somebody waits, ms. The clients differ in what they announce, not in their state. */
const LOOK_EVERY = 5;

interface Waiting {
  go(): void;
  over(): boolean;
}

/** Commands held back until the client is connected. */
export class Readiness {
  readonly #driver: Driver;
  readonly #waiting = new Set<Waiting>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** Calls `go` when the link is ready, or has closed and will say so. `over`: whether it is too late. */
  wait(go: () => void, over: () => boolean): void {
    this.#driver.wake();
    this.#waiting.add({ go, over });
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #look(): void {
    const ready = this.#driver.link() === 'ready';
    for (const waiting of this.#waiting) {
      if (!ready && !waiting.over()) continue;
      this.#waiting.delete(waiting);
      waiting.go();
    }
    if (this.#waiting.size === 0) this.close();
  }
}

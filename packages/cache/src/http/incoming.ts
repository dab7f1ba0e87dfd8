/** How much memory bodies may take while they come in. */
export class Budget {
  readonly #most: number;
  readonly #mostEach: number;
  #used = 0;

  /** @param most for all, bytes. @param mostEach for one, bytes */
  constructor(most: number, mostEach: number) {
    this.#most = most;
    this.#mostEach = mostEach;
  }

  get used(): number {
    return this.#used;
  }

  allows(length: number): boolean {
    return length <= this.#mostEach && this.#used + length <= this.#most;
  }

  /** Takes a further part of what one body needs. @param before what it has already */
  take(length: number, before: number): boolean {
    if (before + length > this.#mostEach || this.#used + length > this.#most) return false;
    this.#used += length;
    return true;
  }

  give(length: number): void {
    this.#used -= length;
  }
}

/** A body that is being copied as it goes by: at once into its place if its length is known. */
export class Incoming {
  readonly #budget: Budget;
  readonly #whole: Uint8Array | undefined;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #reserved = 0;

  /** @param length if it is known and the budget allows it */
  constructor(budget: Budget, length: number | undefined) {
    this.#budget = budget;
    if (length === undefined) return;
    budget.take(length, 0);
    this.#reserved = length;
    this.#whole = new Uint8Array(length);
  }

  /** False: it is longer than it may be. */
  add(chunk: Uint8Array): boolean {
    const end = this.#length + chunk.length;
    if (this.#whole !== undefined) {
      if (end > this.#whole.length) return false;
      this.#whole.set(chunk, this.#length);
    } else {
      if (!this.#budget.take(chunk.length, this.#reserved)) return false;
      this.#reserved += chunk.length;
      // Not `slice`: a Buffer's shares its memory.
      this.#chunks.push(new Uint8Array(chunk));
    }
    this.#length = end;
    return true;
  }

  /** What has come. */
  take(): Uint8Array {
    const whole = this.#whole;
    if (whole !== undefined) return this.#length === whole.length ? whole : whole.subarray(0, this.#length);
    if (this.#chunks.length === 1) return this.#chunks[0] as Uint8Array;
    const body = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      body.set(chunk, at);
      at += chunk.length;
    }
    return body;
  }

  /** Its memory is no longer its own. */
  drop(): void {
    this.#budget.give(this.#reserved);
    this.#reserved = 0;
  }
}

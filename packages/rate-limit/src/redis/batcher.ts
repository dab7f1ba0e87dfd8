import { slotOf } from '@weir/redis';
import type { Answer, Counts, Question } from './counts.ts';

/** Node, Bun and Deno have it, where the clients of Redis run. */
declare const setImmediate: (run: () => void) => void;

/** Questions in one call: so many take Redis well below a millisecond. */
const MOST_QUESTIONS = 256;

interface Asked {
  readonly question: Question;
  readonly late: ((answer: Answer) => void) | undefined;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Puts all questions of one turn of the event loop into one call; in a Cluster, into one for each slot. */
export class Batcher {
  readonly #counts: Counts;
  readonly #cluster: boolean;
  readonly #batches = new Map<number, Asked[]>();

  constructor(counts: Counts, cluster: boolean) {
    this.#counts = counts;
    this.#cluster = cluster;
  }

  /** @param late told of an answer that comes after the deadline */
  ask(question: Question, late?: (answer: Answer) => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const slot = this.#cluster ? slotOf(question.keys[0]!) : 0;
      if (this.#batches.size === 0) setImmediate(() => this.#sendAll());
      const batch = this.#batches.get(slot);
      const asked = { question, late, resolve, reject };
      if (batch === undefined) this.#batches.set(slot, [asked]);
      else {
        batch.push(asked);
        if (batch.length < MOST_QUESTIONS) return;
        this.#batches.delete(slot);
        this.#send(batch);
      }
    });
  }

  #sendAll(): void {
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    for (const batch of batches) this.#send(batch);
  }

  #send(batch: readonly Asked[]): void {
    const questions = batch.map(({ question }) => question);
    const late = (answers: readonly Answer[]): void => {
      for (const [i, asked] of batch.entries()) asked.late?.(answers[i]!);
    };
    this.#counts.askMany(questions, late).then(
      (answers) => {
        for (let i = 0; i < batch.length; i += 1) batch[i]!.resolve(answers[i]!);
      },
      (error) => {
        for (const { reject } of batch) reject(error);
      },
    );
  }
}

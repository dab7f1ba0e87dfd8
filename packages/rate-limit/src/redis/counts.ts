import { type CommandOptions, entityKey, type RedisClient, type RedisReply, type Script } from '@weir/redis';
import { inMs } from '../internal/column.ts';
import type { StoreAnswer, StoreKey } from '../store.ts';
import { type LimitSet, LimitSets } from './limit-set.ts';

/** What is asked of the script for one key. */
export interface Question {
  /** The names of what Redis keeps: the counts, then each sliding log. */
  readonly keys: readonly string[];
  readonly set: LimitSet;
  readonly what: 'c' | 'p' | 't' | 'l' | 'a' | 'b' | 'r';
  readonly first: number;
  readonly second: number;
}

export interface Answer extends StoreAnswer {
  /** Units charged. */
  readonly granted: number;
  /** The server's time, ticks. */
  readonly now: number;
}

/** Asks the script, a question or many in one call. */
export class Counts {
  readonly #client: RedisClient;
  readonly #script: Script;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly sets: LimitSets = new LimitSets();

  constructor(client: RedisClient, script: Script, prefix: string, timeoutMs: number) {
    this.#client = client;
    this.#script = script;
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
  }

  question({ limiter, key, limits }: StoreKey, what: Question['what'], first: number, second = 0): Question {
    const set = this.sets.of(limits);
    const base = `${entityKey(this.#prefix, limiter, key)}${set.tag}`;
    return { keys: [base, ...set.logs.map((i) => `${base}:${i}`)], set, what, first, second };
  }

  ask(question: Question, timeoutMs: number = this.#timeoutMs): Promise<Answer> {
    return this.#one(question, { timeoutMs: Math.min(timeoutMs, this.#timeoutMs) });
  }

  /** All keys must lie in one slot, or on a server that is no Cluster. */
  async askMany(questions: readonly Question[]): Promise<readonly Answer[]> {
    const sets = [...new Set(questions.map(({ set }) => set))];
    const args = [String(sets.length), ...sets.flatMap((set) => set.args)];
    const keys: string[] = [];
    for (const { set, what, first, second, keys: own } of questions) {
      args.push(String(sets.indexOf(set) + 1), what, String(first), String(second));
      keys.push(...own);
    }
    const options = { timeoutMs: this.#timeoutMs };
    const reply = (await this.#client.run(this.#script, keys, args, options)) as readonly number[];
    let at = 0;
    return questions.map(({ set }) => {
      const answer = answerOf(set, reply, at);
      at += sizeOf(set);
      return answer;
    });
  }

  /** As `ask`, also for an answer that comes after the deadline: `late` is then told. */
  askOrLate(question: Question, late: (answer: Answer) => void): Promise<Answer> {
    return this.#one(question, {
      timeoutMs: this.#timeoutMs,
      late: (reply: RedisReply) => late(answerOf(question.set, reply as readonly number[], 0)),
    });
  }

  async #one(question: Question, options: CommandOptions): Promise<Answer> {
    const { set, what, first, second, keys } = question;
    const args = ['1', ...set.args, '1', what, String(first), String(second)];
    const reply = await this.#client.run(this.#script, keys, args, options);
    return answerOf(set, reply as readonly number[], 0);
  }

  async forget(keys: readonly string[]): Promise<void> {
    await this.#client.command(['del', ...keys], keys[0], { timeoutMs: this.#timeoutMs });
  }
}

const sizeOf = ({ limits }: LimitSet): number => 3 + 3 * limits.length;

function answerOf({ limits }: LimitSet, reply: readonly number[], at: number): Answer {
  return {
    blockedMs: msOf(reply[at]!),
    granted: Number(reply[at + 1]),
    now: Number(reply[at + 2]),
    limits: limits.map(({ name: policy, capacity: limit, windowMs }, i) => {
      const from = at + 3 + 3 * i;
      return {
        policy,
        limit,
        remaining: Number(reply[from]),
        retryAfterMs: msOf(reply[from + 1]!),
        resetMs: msOf(reply[from + 2]!),
        windowMs,
      };
    }),
  };
}

/** -1 is for ever. */
const msOf = (ticks: number): number => (ticks < 0 ? Number.POSITIVE_INFINITY : inMs(Number(ticks)));

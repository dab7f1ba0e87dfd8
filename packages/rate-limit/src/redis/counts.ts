import type { CommandOptions, RedisClient, RedisReply, Script } from '@weir/redis';
import { inMs } from '../internal/column.ts';
import type { LimitState } from '../limit.ts';
import type { StoreAnswer, StoreKey } from '../store.ts';
import type { Denials } from './denials.ts';
import { KeyNames } from './key-names.ts';
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
  readonly #names: KeyNames;
  readonly #timeoutMs: number;
  readonly sets: LimitSets = new LimitSets();
  /** Told of refusals, if given. */
  readonly #denials: Denials | undefined;

  constructor(client: RedisClient, script: Script, prefix: string, timeoutMs: number, denials?: Denials) {
    this.#denials = denials;
    this.#client = client;
    this.#script = script;
    this.#names = new KeyNames(prefix);
    this.#timeoutMs = timeoutMs;
  }

  question({ limiter, key, limits }: StoreKey, what: Question['what'], first: number, second = 0): Question {
    const set = this.sets.of(limits);
    return { keys: this.#names.of(limiter, key, set), set, what, first, second };
  }

  ask(question: Question, timeoutMs: number = this.#timeoutMs): Promise<Answer> {
    const { set, keys } = question;
    const options = { timeoutMs: Math.min(timeoutMs, this.#timeoutMs) };
    return this.#client
      .run(this.#script, keys, argsOf(question, 1, set), options)
      .then((reply) => this.#noted(question, answerOf(set, viewOf(reply), 0)));
  }

  /**
   * All keys must lie in one slot, or on a server that is no Cluster.
   *
   * @param late told of answers that come after the deadline
   */
  askMany(
    questions: readonly Question[],
    late: (answers: readonly Answer[]) => void,
  ): Promise<readonly Answer[]> {
    const args: string[] = [];
    const keys: string[] = [];
    let run = questions[0]!;
    let length = 0;
    let before: LimitSet | undefined;
    for (const question of questions) {
      keys.push(...question.keys);
      if (alike(question, run)) {
        length += 1;
        continue;
      }
      args.push(...argsOf(run, length, before === run.set ? undefined : run.set));
      before = run.set;
      run = question;
      length = 1;
    }
    args.push(...argsOf(run, length, before === run.set ? undefined : run.set));
    const options: CommandOptions = {
      timeoutMs: this.#timeoutMs,
      late: (reply) => late(answersOf(questions, reply)),
    };
    return this.#client.run(this.#script, keys, args, options).then((reply) => answersOf(questions, reply));
  }

  #noted(question: Question, answer: Answer): Answer {
    if (question.what === 'c' && answer.granted === 0) {
      this.#denials?.note(question.keys[0]!, question.first, answer);
    }
    return answer;
  }

  async forget(keys: readonly string[]): Promise<void> {
    await this.#client.command(['del', ...keys], keys[0], { timeoutMs: this.#timeoutMs });
  }
}

const alike = (a: Question, b: Question): boolean =>
  a.set === b.set && a.what === b.what && a.first === b.first && a.second === b.second;

/** What the script is told of a run of so many questions alike; undefined: the limits are those of the run before. */
const argsOf = (
  { what, first, second }: Question,
  length: number,
  set: LimitSet | undefined,
): readonly string[] => [String(length), what, String(first), String(second), ...(set?.args ?? ['0'])];

const viewOf = (reply: RedisReply): DataView => {
  const { buffer, byteOffset, byteLength } = reply as Uint8Array;
  return new DataView(buffer, byteOffset, byteLength);
};

function answersOf(questions: readonly Question[], reply: RedisReply): readonly Answer[] {
  const numbers = viewOf(reply);
  let at = 0;
  return questions.map(({ set }) => {
    const answer = answerOf(set, numbers, at);
    at += 24 + 24 * set.limits.length;
    return answer;
  });
}

function answerOf({ limits }: LimitSet, numbers: DataView, at: number): Answer {
  const states: LimitState[] = [];
  let from = at + 24;
  for (const { name: policy, capacity: limit, windowMs } of limits) {
    states.push({
      policy,
      limit,
      remaining: numbers.getFloat64(from),
      retryAfterMs: inMs(numbers.getFloat64(from + 8)),
      resetMs: inMs(numbers.getFloat64(from + 16)),
      windowMs,
    });
    from += 24;
  }
  return {
    blockedMs: inMs(numbers.getFloat64(at)),
    granted: numbers.getFloat64(at + 8),
    now: numbers.getFloat64(at + 16),
    limits: states,
  };
}

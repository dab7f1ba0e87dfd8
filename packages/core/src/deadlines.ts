import { systemClock } from './clock.ts';

/** Something that waits no longer than its time. To be extended by what is told when that is up. */
export abstract class Deadline {
  /** @internal */
  due = 0;
  /** @internal In a ring with its neighbours while it waits. */
  before: Deadline = this;
  /** @internal */
  after: Deadline = this;

  /** Its time is up. Must not throw. */
  abstract expire(): void;
}

/** Those that wait equally long, first come first due, in a ring that begins and ends here. Due when its timer is. */
class Queue extends Deadline {
  readonly ms: number;
  timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    super();
    this.ms = ms;
  }

  expire(): void {}
}

/**
 * The deadlines of many things at once, with one unref'd timer for each length of time instead of one for each thing. A
 * timer costs 100 ns and leaves garbage behind; here what ends in time is just taken out of a list. By the system's
 * clock; no later than about 2 ms, unless the event loop is blocked. There is no timer while nothing waits.
 */
export class Deadlines {
  readonly #queues = new Map<number, Queue>();

  /** @param ms how long, from now */
  start(deadline: Deadline, ms: number): void {
    deadline.due = systemClock.now() + ms;
    let queue = this.#queues.get(ms);
    if (queue === undefined) {
      queue = new Queue(ms);
      this.#queues.set(ms, queue);
      this.#wake(queue, deadline.due, ms);
    }
    const last = queue.before;
    deadline.before = last;
    deadline.after = queue;
    last.after = deadline;
    queue.before = deadline;
  }

  /**
   * It has ended, or does not matter any more. It may be started again.
   *
   * @returns whether it was still waiting
   */
  end(deadline: Deadline): boolean {
    const { before, after } = deadline;
    if (before === deadline) return false;
    before.after = after;
    after.before = before;
    deadline.before = deadline.after = deadline;
    // It was the only one.
    if (before === after) this.#stop(before as Queue);
    return true;
  }

  #wake(queue: Queue, due: number, inMs: number): void {
    queue.due = due;
    queue.timer = setTimeout(() => this.#ring(queue), Math.ceil(inMs));
    (queue.timer as { unref?(): void }).unref?.();
  }

  #stop(queue: Queue): void {
    clearTimeout(queue.timer);
    this.#queues.delete(queue.ms);
  }

  #ring(queue: Queue): void {
    // What the timer was set for is due: it need not agree with the clock to the last fraction of a millisecond.
    const now = Math.max(systemClock.now(), queue.due);
    while (queue.after !== queue && queue.after.due <= now) {
      const deadline = queue.after;
      this.end(deadline);
      deadline.expire();
    }
    if (queue.after !== queue) this.#wake(queue, queue.after.due, queue.after.due - now);
  }
}

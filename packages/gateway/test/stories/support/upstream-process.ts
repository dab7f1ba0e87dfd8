import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { killAtEnd } from './children.ts';

/** How an upstream answers, until it is told otherwise. */
export interface Behaviour {
  /** @default 200 */
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string };
  /** Part of the body. */
  readonly value?: string;
  /** How long it takes to answer. @default 0 */
  readonly delayMs?: number;
}

/** What an upstream says in its body. */
export interface Said {
  /** Of the process. */
  readonly pid: number;
  readonly value: string | null;
  /** Which request for this path it was. */
  readonly count: number;
  /** When it was asked, ms since 1970. */
  readonly at: number;
}

export type Told = Behaviour | 'count';

/** A server in a process of its own. `POST /login` with the password 'right' is a success, with another one a 401. */
export class UpstreamProcess {
  readonly url: string;
  readonly #port: number;
  #child: ChildProcess;
  #behaviour: Behaviour;

  private constructor(child: ChildProcess, port: number, behaviour: Behaviour) {
    this.#child = child;
    this.#port = port;
    this.#behaviour = behaviour;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(behaviour: Behaviour = {}): Promise<UpstreamProcess> {
    const [child, port] = await launch(0);
    const made = new UpstreamProcess(child, port, behaviour);
    await made.behave(behaviour);
    return made;
  }

  static several(count: number, behaviour?: Behaviour): Promise<UpstreamProcess[]> {
    return Promise.all(Array.from({ length: count }, () => UpstreamProcess.start(behaviour)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** From the next request on. */
  async behave(behaviour: Behaviour): Promise<void> {
    this.#behaviour = behaviour;
    await this.#tell(behaviour);
  }

  /** Requests that have come since it started: for one path, or all. */
  async requests(path?: string): Promise<number> {
    const { counts } = (await this.#tell('count')) as { counts: { [path: string]: number } };
    if (path !== undefined) return counts[path] ?? 0;
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** As `kill -9`. */
  async die(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  /** Ends it as a deploy does, and starts another one on its port. */
  async replace(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
    [this.#child] = await launch(this.#port);
    await this.behave(this.#behaviour);
  }

  async #tell(told: Told): Promise<unknown> {
    const answer = once(this.#child, 'message');
    this.#child.send(told);
    return (await answer)[0];
  }
}

async function launch(port: number): Promise<[ChildProcess, number]> {
  const child = killAtEnd(fork(new URL('upstream.ts', import.meta.url), [String(port)]));
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the upstream ended with ${code}`);
  });
  const [ready] = await Promise.race([once(child, 'message'), failed]);
  failed.catch(() => {});
  return [child, (ready as { port: number }).port];
}

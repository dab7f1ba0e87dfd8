import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What an upstream can be told. */
export const modes = ['ok', 'slow', 'fail', 'die'] as const;
export type Mode = (typeof modes)[number];

/** A server in a process of its own. */
export class UpstreamProcess {
  readonly name: string;
  #port = 0;
  #child: ChildProcess | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it; again on the same port if it ran before. */
  async start(): Promise<void> {
    const child = fork(new URL('upstream.ts', import.meta.url), [this.name, String(this.#port)]);
    this.#child = child;
    const [port] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error(`upstream ${this.name} did not start`))),
    ]);
    this.#port = port as number;
  }

  async tell(mode: Mode): Promise<void> {
    if (mode === 'die') {
      this.stop();
      return;
    }
    if (this.#child === undefined) await this.start();
    this.#child?.send(mode);
  }

  /** Kills it, without warning. */
  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

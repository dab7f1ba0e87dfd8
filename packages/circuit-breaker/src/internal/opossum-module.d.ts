/** opossum ships no types. This is what is used of it, no more. */
declare module 'opossum' {
  export default class CircuitBreaker {
    readonly name: string;
    readonly closed: boolean;
    readonly opened: boolean;
    readonly halfOpen: boolean;
    /** Half-open, and the one probe is not under way yet. */
    readonly pendingClose: boolean;
    readonly isShutdown: boolean;
    readonly enabled: boolean;
    readonly status: { rotateBucket(): void };
    readonly semaphore: { release(): void };
    action: (...args: unknown[]) => unknown;
    options: { [name: string]: unknown };
    constructor(action: (...args: unknown[]) => unknown, options: { [name: string]: unknown });
    fire(...args: unknown[]): Promise<unknown>;
    call(context: unknown, ...args: unknown[]): Promise<unknown>;
    open(): void;
    close(): void;
    enable(): void;
    disable(): void;
    shutdown(): void;
    fallback(fn: (...args: unknown[]) => unknown): this;
    on(event: string, listener: (...args: unknown[]) => void): this;
    prependListener(event: string, listener: (...args: unknown[]) => void): this;
    emit(event: string, ...args: unknown[]): boolean;
  }
}

import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { CallContext } from '../src/index.ts';

export const down: Error = new Error('down');
export const failing = (): Promise<never> => Promise.reject(down);

/** A call that ends when it is told to, and notes its signal. */
export const held = () => {
  const calls: { resolve: (value: string) => void; reject: (error: unknown) => void; signal: AbortSignal }[] =
    [];
  const call = ({ signal }: CallContext): Promise<string> =>
    new Promise((resolve, reject) => calls.push({ resolve, reject, signal }));
  return { call, calls };
};

/** Stops time in each test of a file, and fails those that leave a rejection unhandled. */
export function inManualTime(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  beforeEach(() => {
    process.on('unhandledRejection', note);
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled.splice(0)).toEqual([]);
  });
}

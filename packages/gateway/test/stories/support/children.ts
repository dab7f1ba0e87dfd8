import type { ChildProcess } from 'node:child_process';
import { afterAll } from 'vitest';

const running = new Set<ChildProcess>();

// Each child also ends by itself when the test's process has gone.
process.once('exit', killAll);
afterAll(killAll);

/** A process that does not outlive the test file, whatever happens. */
export function killAtEnd<Child extends ChildProcess>(child: Child): Child {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

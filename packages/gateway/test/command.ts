import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';

const cli = join(import.meta.dirname, '../src/cli.ts');

/** Runs the command `weir` in a folder of its own, for one file of tests. What a test starts ends with it. */
export class Command {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'weir-cli-'));
  readonly #running: ChildProcess[] = [];

  constructor() {
    afterEach(() => {
      for (const child of this.#running.splice(0)) child.kill('SIGKILL');
    });
    afterAll(() => rmSync(this.folder, { recursive: true }));
  }

  /** @returns the name of the file, as the command is given it */
  write(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text);
    return name;
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const child = spawn(process.execPath, ['--conditions=@weir/source', cli, ...args], {
      cwd: this.folder,
      env,
    });
    this.#running.push(child);
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    return {
      child,
      ended: async () => [(await once(child, 'close'))[0] as number, printed] as const,
      /** Waits until this has been printed. */
      async says(pattern: RegExp): Promise<RegExpExecArray> {
        for (;;) {
          const found = pattern.exec(printed);
          if (found !== null) return found;
          const end = child.exitCode ?? child.signalCode;
          if (end !== null) throw new Error(`ended with ${end}: ${printed}`);
          await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), once(child, 'exit')]);
        }
      },
    };
  }
}

import type { Argument } from './driver.ts';

/** What is used of ioredis' own class of commands. */
export interface Command {
  readonly args: (string | Uint8Array)[];
  readonly promise: Promise<unknown>;
  toWritable(stream: unknown): string | Uint8Array;
}

export interface CommandSettings {
  readonly replyEncoding: 'utf8' | null;
  readonly keyPrefix: unknown;
}

export type CommandClass = new (name: string, args: readonly Argument[], options: CommandSettings) => Command;

/** The class of a client's commands, whichever copy of the library it is of: found out by a command that is not sent. */
export function commandClassOf(client: {
  call(name: string): unknown;
  sendCommand(command: Command): unknown;
}): CommandClass {
  let made: Command | undefined;
  const observed: typeof client = Object.create(client, {
    sendCommand: {
      value: (command: Command): void => {
        made = command;
      },
    },
  });
  // One that no automatic pipeline takes.
  observed.call('info');
  return made!.constructor as CommandClass;
}

/** Until when commands count as sent for the first time. */
export class Fence {
  whole = true;
}

/**
 * A command whose last argument is the fence. A client that sends it anew asks it anew for its bytes: so it can be text,
 * which costs half of what a Buffer among the arguments does.
 */
export type FencedCommand = new (
  name: string,
  args: readonly Argument[],
  options: CommandSettings,
  fence: Fence,
) => Command;

export function fencedCommand(Base: CommandClass): FencedCommand {
  return class extends Base {
    readonly #fence: Fence;

    constructor(name: string, args: readonly Argument[], options: CommandSettings, fence: Fence) {
      super(name, args, options);
      this.#fence = fence;
    }

    override toWritable(stream: unknown): string | Uint8Array {
      if (!this.#fence.whole) this.args[this.args.length - 1] = '0';
      return super.toWritable(stream);
    }
  };
}
